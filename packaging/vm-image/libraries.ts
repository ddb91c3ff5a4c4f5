/** Whether every program in a tree finds its shared libraries there (elf(5)). */
import type { FileTree } from '../recipe/file-tree.ts';

/** Throws with what is missing and who needs it. */
export function checkLibraries(tree: FileTree): void {
  const programs = tree
    .entries()
    .flatMap(([path, entry]) =>
      entry.type === 'file' && isElf(entry.content) && !path.endsWith('.ko')
        ? [{ path, needed: neededLibraries(entry.content) }]
        : [],
    );
  const there = new Set(tree.entries().map(([path]) => path.slice(path.lastIndexOf('/') + 1)));
  const missing = programs.flatMap(({ path, needed }) =>
    needed.filter((name) => !there.has(name)).map((name) => `${name} (for ${path})`),
  );
  if (missing.length > 0)
    throw new Error(`the root lacks ${missing.join(', ')}; see packaging/recipe/packages.ts`);
}

const isElf = (content: Buffer) => content.length > 64 && content.readUInt32BE(0) === 0x7f454c46;

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1;
const DT_STRTAB = 5;

/** Of a little-endian program of 64 bits, which all of ours are. */
export function neededLibraries(program: Buffer): string[] {
  const segments = segmentsOf(program);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return [];
  const names: number[] = [];
  let strings = 0;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.length; at += 16) {
    const tag = Number(program.readBigInt64LE(at));
    const value = Number(program.readBigUInt64LE(at + 8));
    if (tag === DT_NEEDED) names.push(value);
    else if (tag === DT_STRTAB) strings = value;
  }
  const table = segments.find(
    ({ type, address, length }) =>
      type === PT_LOAD && strings >= address && strings < address + length,
  );
  if (table === undefined) return [];
  const start = strings - table.address + table.offset;
  return names.map((name) =>
    program.toString('latin1', start + name, program.indexOf(0, start + name)),
  );
}

function segmentsOf(program: Buffer) {
  const headers = Number(program.readBigUInt64LE(0x20));
  const [size, count] = [program.readUInt16LE(0x36), program.readUInt16LE(0x38)];
  return Array.from({ length: count }, (_, index) => {
    const at = headers + index * size;
    return {
      type: program.readUInt32LE(at),
      offset: Number(program.readBigUInt64LE(at + 8)),
      address: Number(program.readBigUInt64LE(at + 16)),
      length: Number(program.readBigUInt64LE(at + 32)),
    };
  });
}
