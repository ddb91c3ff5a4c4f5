/**
 * The kernel without its wrapping. A bzImage unpacks itself slowly, in an emulated processor above
 * all; QEMU starts the plain ELF program by its PVH note, and Apple's hypervisor takes only a plain
 * Image (Documentation/arch/x86/boot.rst, Documentation/arch/arm64/booting.rst).
 */
import { execFileSync } from 'node:child_process';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Architecture } from '../recipe/architecture.ts';

export function plainKernel(vmlinuz: Buffer, architecture: Architecture): Buffer {
  return architecture === 'amd64' ? elfOf(vmlinuz) : imageOf(vmlinuz);
}

const setup = { sectors: 0x1f1, magic: 0x202, payloadOffset: 0x248, payloadLength: 0x24c };

function elfOf(bzImage: Buffer): Buffer {
  if (bzImage.toString('latin1', setup.magic, setup.magic + 4) !== 'HdrS')
    throw new Error('the kernel is no bzImage');
  const protectedMode = (bzImage.readUInt8(setup.sectors) + 1) * 512;
  const start = protectedMode + bzImage.readUInt32LE(setup.payloadOffset);
  // The last four bytes are the size after unpacking.
  const length = bzImage.readUInt32LE(setup.payloadLength) - 4;
  const elf = decompressed(bzImage.subarray(start, start + length));
  if (elf.readUInt32BE(0) !== 0x7f454c46) throw new Error("the kernel's payload is no ELF program");
  return elf.subarray(0, endOf(elf));
}

/**
 * The linker puts the table of sections last. What follows it is a list of places for a kernel at a random address, 0.9 MB, which the
 * wrapping alone reads (arch/x86/boot/compressed/misc.c, handle_relocations).
 */
function endOf(elf: Buffer): number {
  const sections = Number(elf.readBigUInt64LE(0x28));
  return sections + elf.readUInt16LE(0x3a) * elf.readUInt16LE(0x3c);
}

function imageOf(kernel: Buffer): Buffer {
  const image = isImage(kernel) ? kernel : decompressed(efiPayload(kernel) ?? kernel);
  if (!isImage(image)) throw new Error('the kernel is no arm64 Image');
  return image;
}

const isImage = (kernel: Buffer) => kernel.toString('latin1', 0x38, 0x3c) === 'ARM\x64';

/** What a compressed EFI program carries (drivers/firmware/efi/libstub/zboot-header.S). */
function efiPayload(kernel: Buffer): Buffer | undefined {
  if (kernel.toString('latin1', 4, 8) !== 'zimg') return undefined;
  const start = kernel.readUInt32LE(8);
  return kernel.subarray(start, start + kernel.readUInt32LE(12));
}

function decompressed(data: Buffer): Buffer {
  const magic = data.readUInt32BE(0);
  if (magic === 0x28b52ffd) return zstdDecompressSync(data);
  if (magic >>> 8 === 0x1f8b08) return gunzipSync(data);
  if (magic === 0xfd377a58) return execFileSync('xz', ['-dc'], { input: data, maxBuffer: 2 ** 30 });
  throw new Error(`the kernel is compressed in an unknown way (it begins ${magic.toString(16)})`);
}
