/** What one layer holds, on a directory in the form of an overlayfs lower. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  constants,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeFifo, mknodat, openDirectory, withFd } from '../../kernel/files.ts';
import { overlayAttribute } from '../../kernel/overlay.ts';
import { setXattr } from '../../kernel/xattr.ts';
import { layerFiles } from './layer-files.ts';

let layer: string;
const all = { path: '/', after: '', limit: 500 };

before(() => {
  layer = mkdtempSync(join(tmpdir(), 'corten-layer-'));
  mkdirSync(join(layer, 'etc'));
  writeFileSync(join(layer, 'etc/motd'), 'hello\n');
  // A change of the owner clears setuid.
  chownSync(join(layer, 'etc/motd'), 5, 7);
  chmodSync(join(layer, 'etc/motd'), 0o4640);
  utimesSync(join(layer, 'etc/motd'), 0, 86_400);
  withFd(openDirectory(join(layer, 'etc')), (etc) => {
    setXattr(etc, overlayAttribute('opaque'), Buffer.from('y'));
    mknodat(etc, 'gone', constants.S_IFCHR);
    mknodat(etc, 'null', constants.S_IFCHR | 0o666, 1, 3);
    // A name in Latin-1.
    mknodat(etc, Buffer.from([0x63, 0x61, 0x66, 0xe9, 0]), constants.S_IFREG | 0o644);
  });
  makeFifo(join(layer, 'pipe'), 0o600);
  symlinkSync('/etc', join(layer, 'out'));
});
after(() => rmSync(layer, { recursive: true }));

test('each entry has its kind, size, mode, owner and time', () => {
  const { files, hasMore } = layerFiles(layer, { ...all, path: '/etc' });
  assert.equal(hasMore, false);
  assert.deepEqual(
    files.map(({ name, kind }) => [name, kind]),
    [
      ['caf�', 'file'],
      ['gone', 'removed'],
      ['motd', 'file'],
      ['null', 'device'],
    ],
  );
  assert.deepEqual(files[2], {
    name: 'motd',
    kind: 'file',
    sizeBytes: 6,
    mode: 0o4640,
    uid: 5,
    gid: 7,
    modifiedAt: '1970-01-02T00:00:00.000Z',
  });
});

test('links say where they lead and are not followed; a directory says when it hides what lies below', () => {
  const { files } = layerFiles(layer, all);
  assert.deepEqual(
    files.map(({ name, kind, target, isOpaque }) => [name, kind, target, isOpaque]),
    [
      ['etc', 'directory', undefined, true],
      ['out', 'link', '/etc', undefined],
      ['pipe', 'pipe', undefined, undefined],
    ],
  );
  for (const path of ['/out', '/none', '/etc/motd', '../..', '/etc/../..'])
    assert.throws(() => layerFiles(layer, { ...all, path }), { kind: 'not-found' }, path);
});

test('pages follow each other by the last name', () => {
  const first = layerFiles(layer, { ...all, limit: 2 });
  assert.deepEqual([first.files.map(({ name }) => name), first.hasMore], [['etc', 'out'], true]);
  const next = layerFiles(layer, { ...all, limit: 2, after: 'out' });
  assert.deepEqual([next.files.map(({ name }) => name), next.hasMore], [['pipe'], false]);
});
