/**
 * Modules without what the kernel's function tracer needs of them. For each function that can be traced it looks
 * through all symbols of the module (find_kallsyms_symbol, kernel/module/kallsyms.c): a billion instructions for XFS, a
 * second of a start in an emulated processor. The kernel itself can be traced as ever.
 */

/** Where the calls are, and the names of values in events: the tracer looks through all events for each. */
export const tracingSections = ['__mcount_loc', '_ftrace_eval_map'].flatMap((name) => [
  name,
  `.rela${name}`,
]);

const tracer = '__fentry__';
/** Five bytes that do nothing, which the tracer itself writes over each call of it while nobody traces. */
const idle = Buffer.from([0x0f, 0x1f, 0x44, 0x00, 0x00]);

const section = { rela: 4, symbols: 2, headerBytes: 64 };
const entryBytes = 24;

/**
 * Writes over the calls at the start of functions, which nobody would find any more. Of an x86-64 module (elf(5), ELF64, little
 * endian); returns how many there were. Throws where a relocation for the tracer is none of a call.
 */
export function silenceTracer(module: Buffer): number {
  const headers = sectionsOf(module);
  const table = headers.find(({ type }) => type === section.symbols);
  const names = table && headers[table.link];
  if (table === undefined || names === undefined) return 0;
  let found = -1;
  for (let index = 0; index * entryBytes < table.size; index++) {
    const at = names.offset + module.readUInt32LE(table.offset + index * entryBytes);
    if (module.toString('latin1', at, module.indexOf(0, at)) === tracer) found = index;
  }
  let count = 0;
  for (const { type, offset, size, info } of found < 0 ? [] : headers) {
    const target = headers[info];
    if (type !== section.rela || target === undefined) continue;
    for (let entry = offset; entry < offset + size; entry += entryBytes) {
      if (module.readUInt32LE(entry + 12) !== found) continue;
      const call = target.offset + Number(module.readBigUInt64LE(entry)) - 1;
      if (module[call] !== 0xe8)
        throw new Error(`a module refers to ${tracer} other than by calls`);
      idle.copy(module, call);
      // R_X86_64_NONE.
      module.writeBigUInt64LE(0n, entry + 8);
      count++;
    }
  }
  return count;
}

function sectionsOf(elf: Buffer) {
  const start = Number(elf.readBigUInt64LE(0x28));
  return Array.from({ length: elf.readUInt16LE(0x3c) }, (_, index) => {
    const at = start + index * section.headerBytes;
    return {
      type: elf.readUInt32LE(at + 4),
      offset: Number(elf.readBigUInt64LE(at + 0x18)),
      size: Number(elf.readBigUInt64LE(at + 0x20)),
      link: elf.readUInt32LE(at + 0x28),
      info: elf.readUInt32LE(at + 0x2c),
    };
  });
}
