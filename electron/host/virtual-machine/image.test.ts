/** A guest image as the app is packaged with it, plain or compressed. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { compressFile } from '../../../packaging/vm-image/compress.ts';
import { StageFailure } from '../machine/machine.ts';
import { writeImage } from '../qemu/testdata/stand-in.ts';
import { installImage } from './image.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-image-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** The compression of `scripts/vm-image --release`, the only one that is supported. */
function compressedImage(name: string): string {
  const source = join(directory, name);
  writeImage(source, `${name} `.repeat(1000));
  for (const file of ['vmlinux', 'initrd', 'root.erofs']) {
    compressFile(join(source, file), 3);
    rmSync(join(source, file));
  }
  return source;
}

test('compressed files are unpacked, and checked as what they were', async () => {
  const source = compressedImage('whole');
  const images = join(directory, 'images');
  const image = await installImage(source, images);
  assert.equal(readFileSync(image.root, 'utf8'), `root.erofs ${'whole '.repeat(1000)}`);
  assert.deepEqual(await installImage(source, images), image);
});

test('one that is damaged, or another, is refused, and nothing of it stays', async () => {
  const spoilt: [string, (path: string) => void, RegExp][] = [
    ['cut', (path) => truncateSync(path, 20), /root\.erofs\.zst cannot be unpacked/],
    ['random', (path) => writeFileSync(path, 'no zstd'), /root\.erofs\.zst cannot be unpacked/],
    [
      'other',
      (path) => {
        writeFileSync(path.replace('.zst', ''), 'something else');
        compressFile(path.replace('.zst', ''), 3);
        rmSync(path.replace('.zst', ''));
      },
      /root\.erofs is not what its list says/,
    ],
  ];
  for (const [name, spoil, cause] of spoilt) {
    const source = compressedImage(name);
    spoil(join(source, 'root.erofs.zst'));
    const images = join(directory, `images-${name}`);
    await assert.rejects(
      installImage(source, images),
      (error) =>
        error instanceof StageFailure &&
        cause.test(error.message) &&
        /damaged or was changed.*Install the app again/.test(error.nextStep),
      name,
    );
    assert.ok(!existsSync(images) || readdirSync(images).length === 0, name);
  }
});
