/** Node for the agent alone: without symbols, and without what only other languages and TypeScript need. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `toolPrefix` names the binutils of the program's processor. */
export function smallNode(binary: Buffer, toolPrefix: string): Buffer {
  const program = stripped(binary, toolPrefix);
  blankLanguages(program);
  blankTypeStripper(program);
  return program;
}

/** Node ships with its symbols, which take a fifth of it. */
function stripped(binary: Buffer, toolPrefix: string): Buffer {
  const work = mkdtempSync(join(tmpdir(), 'corten-strip-'));
  try {
    const path = join(work, 'node');
    writeFileSync(path, binary);
    execFileSync(`${toolPrefix}strip`, [path]);
    return readFileSync(path);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/**
 * Zeroes the languages, legacy encodings, dictionaries and transliterations in ICU's data, which Node
 * carries as one package: 27 MB that nobody downloads, since zeros pack to nothing. The agent speaks English;
 * a language that is blank falls back to ICU's root, as one that never was there. The layout is
 * ICU's (udata.h, "CmnD" of udatamem and ucmndata.h): a header, then a table of names and places.
 * Returns how many bytes it zeroed; throws when there is no such package.
 */
export function blankLanguages(program: Buffer): number {
  const format = program.indexOf('CmnD');
  const header = format - formatOffset;
  if (header < 0 || program.readUInt16LE(header + 2) !== icuMagic)
    throw new Error('this Node has no ICU data; look at how it was built (process.config, icu_*)');
  const table = header + program.readUInt16LE(header);
  const count = program.readUInt32LE(table);
  const entry = (index: number) => table + 4 + index * 8;
  const placeOf = (index: number) => table + program.readUInt32LE(entry(index) + 4);
  let blanked = 0;
  // The last has no next one that says where it ends.
  for (let index = 0; index < count - 1; index++) {
    const name = table + program.readUInt32LE(entry(index));
    if (!isForeign(program.toString('latin1', name, program.indexOf(0, name)))) continue;
    program.fill(0, placeOf(index), placeOf(index + 1));
    blanked += placeOf(index + 1) - placeOf(index);
  }
  return blanked;
}

/** In UDataInfo behind the header's two sizes and two magic bytes. */
const formatOffset = 12;
const icuMagic = 0x27da;

/** `icudt78l/lang/pt_BR.res` and the like; names of data for all languages are longer. */
function isForeign(name: string): boolean {
  if (/\.(cnv|dict)$|\/translit\//.test(name)) return true;
  const language = /\/([a-z]{2,3}(_\w+)?)\.res$/.exec(name)?.[1];
  return language !== undefined && !/^en(_001|_US(_POSIX)?)?$/.test(language);
}

/**
 * Fills the WebAssembly that takes the types out of TypeScript (Node's amaro) with one letter: 3.8 MB of
 * base64, which pack to a megabyte otherwise. The agent is JavaScript by the time that it is sent. It stays base64 of
 * the same length, so that Node's own source around it, and the code that it cached, are as they were.
 * Returns how many bytes it filled; throws when there is no such program.
 */
export function blankTypeStripper(program: Buffer): number {
  for (
    let at = program.indexOf(wasmInBase64);
    at >= 0;
    at = program.indexOf(wasmInBase64, at + 1)
  ) {
    const end = program.indexOf('"', at);
    if (end - at < leastStripperBytes) continue;
    program.fill('A', at, end);
    return end - at;
  }
  throw new Error('this Node strips no types; look for amaro among its built-in modules');
}

/** "\0asm" and its version. The parsers of HTTP are such programs too, of 72 KB. */
const wasmInBase64 = 'AGFzbQEAAAA';
const leastStripperBytes = 1_000_000;
