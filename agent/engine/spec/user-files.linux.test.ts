/** Needs root: whiteouts are device nodes, and opaque directories have a trusted attribute. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { openDirectory, withFd } from '../../kernel/files.ts';
import { setXattr } from '../../kernel/xattr.ts';
import { readUserFiles } from './user-files.ts';

let root: string;
let layers: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'corten-spec-'));
  layers = ['upper', 'middle', 'lower'].map((name) => join(root, name));
  for (const layer of layers) mkdirSync(layer);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const read = ([upper, ...lowers]: string[]) => readUserFiles(upper!, lowers);

function put(layer: number, name: string, text: string): void {
  const directory = join(layers[layer]!, 'etc');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), text);
}

test('the topmost layer that has the file wins', () => {
  put(2, 'passwd', 'old');
  put(2, 'group', 'group');
  put(1, 'passwd', 'new');
  assert.deepEqual(read(layers), { passwd: 'new', group: 'group' });
});

test('an image without the files has none', () => {
  assert.deepEqual(read(layers), { passwd: '', group: '' });
});

test('a whiteout hides the file below', () => {
  put(2, 'passwd', 'old');
  mkdirSync(join(layers[1]!, 'etc'));
  execFileSync('mknod', [join(layers[1]!, 'etc/passwd'), 'c', '0', '0']);
  assert.equal(read(layers).passwd, '');
});

test('an opaque directory hides everything below', () => {
  put(2, 'passwd', 'old');
  put(1, 'group', 'new');
  withFd(openDirectory(join(layers[1]!, 'etc')), (fd) =>
    setXattr(fd, 'trusted.overlay.opaque', Buffer.from('y')),
  );
  assert.deepEqual(read(layers), { passwd: '', group: 'new' });
});

test('a link leads nowhere outside the layer', () => {
  put(0, 'real', 'image');
  symlinkSync('../../../../../../etc/real', join(layers[0]!, 'etc/passwd'));
  symlinkSync('../../../../../../etc/group', join(layers[0]!, 'etc/group'));
  assert.deepEqual(read(layers), { passwd: 'image', group: '' });
});

test('what is in the place of the files is looked at, not opened', () => {
  // No driver has this number: to open it would be ENXIO. A FIFO would wait for a writer.
  const places = layers.map((layer) => join(layer, 'etc'));
  for (const etc of places) mkdirSync(etc);
  execFileSync('mknod', [`${places[0]}/passwd`, 'c', '254', '254']);
  execFileSync('mkfifo', [`${places[1]}/passwd`]);
  for (const layer of layers.slice(0, 2)) assert.throws(() => read([layer]), /not a regular file/);
});

test('what a container changes is seen, also after its image was read', () => {
  const [upper, ...lowers] = layers;
  put(2, 'passwd', 'image');
  assert.equal(readUserFiles(upper!, lowers).passwd, 'image');
  put(0, 'passwd', 'own');
  assert.equal(readUserFiles(upper!, lowers).passwd, 'own');
});
