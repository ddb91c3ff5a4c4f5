/** Tar archives as a stranger may write them: every field can be given a wrong value. */

export interface RawEntry {
  name: string;
  /** The type flag; a regular file by default. */
  type?: string;
  linkName?: string;
  content?: string | Buffer;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  /** What the header says, where that is not the content's length. */
  declaredBytes?: number;
  major?: number;
  minor?: number;
  pax?: Record<string, string>;
}

/** Names are bytes, one character each. */
export function tarOf(entries: RawEntry[], options: { closed?: boolean } = {}): Buffer {
  const blocks = entries.flatMap((entry) => [
    ...(entry.pax === undefined ? [] : entryBlocks(paxEntry(entry.pax))),
    ...entryBlocks(entry),
  ]);
  return Buffer.concat(options.closed === false ? blocks : [...blocks, Buffer.alloc(1024)]);
}

function paxEntry(pax: Record<string, string>): RawEntry {
  const records = Object.entries(pax).map(([key, value]) => {
    const body = ` ${key}=${value}\n`;
    let length = body.length + 1;
    while (`${length}`.length + body.length !== length) length = `${length}`.length + body.length;
    return `${length}${body}`;
  });
  return { name: 'PaxHeaders/x', type: 'x', content: Buffer.from(records.join(''), 'latin1') };
}

function entryBlocks(entry: RawEntry): Buffer[] {
  const content = Buffer.from(entry.content ?? '');
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return [header(entry, content.length), content, padding];
}

function header(entry: RawEntry, contentBytes: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, offset: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
  block.write(entry.name.slice(0, 100), 0, 'latin1');
  octal(entry.mode ?? 0o644, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  size(block, entry.declaredBytes ?? contentBytes);
  octal(entry.mtime ?? 1_000_000_000, 136, 12);
  block.write(entry.type ?? '0', 156, 'latin1');
  block.write(entry.linkName ?? '', 157, 100, 'latin1');
  block.write('ustar\0' + '00', 257, 'latin1');
  octal(entry.major ?? 0, 329, 8);
  octal(entry.minor ?? 0, 337, 8);
  block.write('        ', 148, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function size(block: Buffer, bytes: number): void {
  if (bytes < 8 ** 11) block.write(bytes.toString(8).padStart(11, '0'), 124, 'latin1');
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(bytes), 128);
  }
}
