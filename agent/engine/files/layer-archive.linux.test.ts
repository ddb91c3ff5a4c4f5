/** A writable layer as overlayfs leaves it, and the layer of an image that it becomes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { withFd } from '../../kernel/files.ts';
import { overlayAttribute } from '../../kernel/overlay.ts';
import { setXattr } from '../../kernel/xattr.ts';
import { layerArchive } from './layer-archive.ts';

let base: string;
const at = (path: string) => join(base, path);

before(() => {
  base = mkdtempSync(join(tmpdir(), 'corten-layer-'));
  for (const path of [
    'upper/etc',
    'upper/dev',
    'upper/made',
    'upper/replaced',
    'work',
    'image/etc',
  ])
    mkdirSync(at(path), { recursive: true });
});
after(() => rmSync(base, { recursive: true, force: true }));

const rootfs = () => ({ upper: at('upper'), work: at('work'), lowers: [at('image')] });

test('marks of overlayfs become those of a layer, and what the runtime made is left out', async () => {
  writeFileSync(at('image/etc/hostname'), 'of the image');
  writeFileSync(at('upper/etc/hosts'), 'made by the runtime');
  writeFileSync(at('upper/etc/hostname'), 'changed');
  writeFileSync(at('upper/.dockerenv'), '');
  writeFileSync(at('upper/made/one'), 'content', { mode: 0o640 });
  linkSync(at('upper/made/one'), at('upper/made/two'));
  symlinkSync('one', at('upper/made/link'));
  // Bytes that are no text, and a name that would be a mark.
  writeFileSync(Buffer.concat([Buffer.from(at('upper/made/')), Buffer.from([0xff, 0x61])]), '');
  writeFileSync(at('upper/made/.wh.one'), '');
  execFileSync('mknod', [at('upper/etc/gone'), 'c', '0', '0']);
  withFd(openSync(at('upper/replaced'), 'r'), (fd) => {
    setXattr(fd, overlayAttribute('opaque'), Buffer.from('y'));
    setXattr(fd, 'user.note', Buffer.from('kept'));
  });
  const archive = await buffer(await layerArchive({ rootfs: rootfs() }));
  const names = execFileSync('tar', ['-t', '--quoting-style=escape', '-f', '-'], {
    input: archive,
    encoding: 'utf8',
  });
  assert.deepEqual(names.trim().split('\n').sort(), [
    './',
    './etc/',
    './etc/.wh.gone',
    './etc/hostname',
    './made/',
    './made/\\377a',
    './made/link',
    './made/one',
    './made/two',
    './replaced/',
    './replaced/.wh..wh..opq',
  ]);
  const text = archive.toString('latin1');
  assert.match(text, /SCHILY\.xattr\.user\.note=kept/);
  assert.doesNotMatch(text, /overlay\.opaque/);
});
