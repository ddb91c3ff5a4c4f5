/** Kernels in miniature, in the forms that Debian has wrapped them in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { plainKernel } from './kernel.ts';

/** Its table of two sections is its end. */
const elf = Buffer.concat([Buffer.from('\x7fELF', 'latin1'), Buffer.alloc(5000, 'k')]);
elf.writeBigUInt64LE(BigInt(elf.length - 2 * 64), 0x28);
elf.writeUInt16LE(64, 0x3a);
elf.writeUInt16LE(2, 0x3c);
const image = Buffer.alloc(4096, 'i');
image.write('ARM\x64', 0x38, 'latin1');

test('amd64: the ELF program comes out of a bzImage, without what lies behind it', () => {
  const relocations = Buffer.alloc(900, 'r');
  const payload = Buffer.concat([
    zstdCompressSync(Buffer.concat([elf, relocations])),
    Buffer.alloc(4),
  ]);
  const bzImage = Buffer.alloc(2 * 512 + 64);
  bzImage.writeUInt8(1, 0x1f1);
  bzImage.write('HdrS', 0x202, 'latin1');
  bzImage.writeUInt32LE(64, 0x248);
  bzImage.writeUInt32LE(payload.length, 0x24c);
  const wrapped = Buffer.concat([bzImage, payload]);
  assert.ok(plainKernel(wrapped, 'amd64').equals(elf));
  assert.throws(() => plainKernel(image, 'amd64'), /no bzImage/);
});

test('arm64: a plain Image stays, a compressed one is unpacked', () => {
  assert.ok(plainKernel(image, 'arm64').equals(image));
  assert.ok(plainKernel(gzipSync(image), 'arm64').equals(image));
  const payload = gzipSync(image);
  const zboot = Buffer.alloc(64);
  zboot.write('MZ\0\0zimg', 0, 'latin1');
  zboot.writeUInt32LE(64, 8);
  zboot.writeUInt32LE(payload.length, 12);
  assert.ok(plainKernel(Buffer.concat([zboot, payload]), 'arm64').equals(image));
  assert.throws(() => plainKernel(elf, 'arm64'), /unknown way/);
});
