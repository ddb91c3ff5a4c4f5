/**
 * Encodes one tar header for a file: ustar, with pax records for what ustar cannot hold (POSIX pax,
 * "ustar Interchange Format" and "pax Extended Header"). Names are bytes.
 */
import type { TarType } from './tar-reader.ts';

export interface EntryHeader {
  type: TarType;
  name: Buffer;
  linkName?: Buffer;
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  modifiedNanos: bigint;
  major?: number;
  minor?: number;
  xattrs?: ReadonlyMap<string, Buffer>;
}

const blockBytes = 512;
const typeFlags: Record<TarType, string> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};
const field = { name: 100, linkName: 100, id: 0o7777777, size: 0o77777777777, time: 0o77777777777 };

/** An archive ends with two empty blocks. */
export const archiveEnd = Buffer.alloc(2 * blockBytes);

export function encodeHeader(entry: EntryHeader): Buffer {
  const records = paxRecords(entry);
  if (records.length === 0) return ustarHeader(entry, typeFlags[entry.type]);
  const extended: EntryHeader = {
    ...entry,
    name: Buffer.from('PaxHeaders/entry'),
    linkName: undefined,
    mode: 0o644,
    sizeBytes: records.length,
  };
  return Buffer.concat([
    ustarHeader(extended, 'x'),
    records,
    paddingOf(records.length),
    ustarHeader(entry, typeFlags[entry.type]),
  ]);
}

/** The zeroes that fill up a file's last block. */
export function paddingOf(sizeBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

function paxRecords(entry: EntryHeader): Buffer {
  const records: Buffer[] = [];
  if (entry.name.length > field.name) records.push(record('path', entry.name));
  if (entry.linkName && entry.linkName.length > field.linkName)
    records.push(record('linkpath', entry.linkName));
  if (entry.sizeBytes > field.size) records.push(record('size', text(entry.sizeBytes)));
  if (entry.uid > field.id) records.push(record('uid', text(entry.uid)));
  if (entry.gid > field.id) records.push(record('gid', text(entry.gid)));
  if (entry.modifiedNanos < 0n || entry.modifiedNanos % 1_000_000_000n !== 0n)
    records.push(record('mtime', text(secondsOf(entry.modifiedNanos))));
  for (const [name, value] of entry.xattrs ?? [])
    records.push(record(`SCHILY.xattr.${name}`, value));
  return Buffer.concat(records);
}

/** Encodes `<length> <key>=<value>\n`, where the length counts its own digits. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([text(` ${key}=`), value, text('\n')]);
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return Buffer.concat([text(length), rest]);
}

function ustarHeader(entry: EntryHeader, typeFlag: string): Buffer {
  const block = Buffer.alloc(blockBytes);
  entry.name.copy(block, 0, 0, field.name);
  octal(block, 100, 8, entry.mode & 0o7777);
  octal(block, 108, 8, Math.min(entry.uid, field.id));
  octal(block, 116, 8, Math.min(entry.gid, field.id));
  octal(block, 124, 12, Math.min(entry.sizeBytes, field.size));
  const seconds = Number(entry.modifiedNanos / 1_000_000_000n);
  octal(block, 136, 12, Math.min(Math.max(seconds, 0), field.time));
  block.write('        ', 148, 'latin1');
  block.write(typeFlag, 156, 'latin1');
  entry.linkName?.copy(block, 157, 0, field.linkName);
  block.write('ustar\x0000', 257, 'latin1');
  octal(block, 329, 8, entry.major ?? 0);
  octal(block, 337, 8, entry.minor ?? 0);
  octal(
    block,
    148,
    7,
    block.reduce((sum, byte) => sum + byte, 0),
  );
  return block;
}

function octal(block: Buffer, offset: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
  block[offset + length - 1] = 0;
}

function secondsOf(nanos: bigint): string {
  const magnitude = nanos < 0n ? -nanos : nanos;
  const fraction = (magnitude % 1_000_000_000n).toString().padStart(9, '0');
  return `${nanos < 0n ? '-' : ''}${magnitude / 1_000_000_000n}.${fraction}`;
}

const text = (value: string | number) => Buffer.from(String(value));
