/**
 * Reads a tar archive in chunks of any size and passes its entries to a sink, whose calls are synchronous. It knows
 * ustar, pax, GNU long names and all sparse formats. Archives are untrusted: header sizes are limited and checksums
 * verified, and truncated or malformed archives throw invalid.
 */
import { invalid } from '../errors.ts';
import { blockBytes, isZeroBlock, numberAt, parseHeader, type RawHeader } from './tar-header.ts';
import {
  checkRanges,
  type DataRange,
  gnuRanges,
  type PaxRecords,
  parsePax,
  paxNumber,
  paxTime,
  SparseMapReader,
  sparseMapOf,
} from './tar-pax.ts';

export type TarType =
  | 'file'
  | 'hardlink'
  | 'symlink'
  | 'character'
  | 'block'
  | 'directory'
  | 'fifo';

/** An entry. Names are bytes, one character per byte. */
export interface TarEntry {
  type: TarType;
  name: string;
  linkName: string;
  mode: number;
  uid: number;
  gid: number;
  /** Length of the file; with holes it is more than what is stored. */
  sizeBytes: number;
  storedBytes: number;
  modifiedNanos: bigint;
  accessedNanos: bigint | undefined;
  major: number;
  minor: number;
  xattrs: Map<string, Buffer>;
}

export interface TarSink {
  entry(entry: TarEntry): void;
  /** Bytes of a file and their offset. The buffer is valid only during the call. */
  data(bytes: Buffer, offset: number): void;
  endEntry(): void;
}

/** Largest extended header, as in Go's archive/tar; tools write far smaller ones. */
const maxExtendedBytes = 1024 * 1024;

const types: Record<string, TarType> = {
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** Meaning of the next bytes. */
type State =
  | { kind: 'header' }
  | { kind: 'extended'; type: string; parts: Buffer[]; missing: number; padding: number }
  | { kind: 'gnu-sparse'; entry: TarEntry; ranges: DataRange[] }
  | { kind: 'sparse-map'; entry: TarEntry; reader: SparseMapReader }
  | {
      kind: 'data';
      missing: number;
      padding: number;
      ranges: DataRange[];
      range: number;
      done: number;
    }
  | { kind: 'padding'; missing: number }
  | { kind: 'end' };

export class TarReader {
  readonly #sink: TarSink;
  #state: State = { kind: 'header' };
  /** Beginning of a block whose rest has not arrived. */
  #held: Buffer = Buffer.alloc(0);
  #pax: PaxRecords = new Map();
  #longName: string | undefined;
  #longLink: string | undefined;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) rest = rest.subarray(this.#take(rest));
  }

  /** Must be called after the last byte. An archive may lack its two closing zero blocks, as in Go. */
  end(): void {
    const whole = this.#state.kind === 'end' || this.#state.kind === 'header';
    if (!whole || this.#held.length > 0) throw invalid('the archive ends in the middle');
  }

  /** Consumes the beginning of `bytes` and returns how many. */
  #take(bytes: Buffer): number {
    const state = this.#state;
    switch (state.kind) {
      case 'end':
        return bytes.length;
      case 'padding': {
        const count = Math.min(state.missing, bytes.length);
        state.missing -= count;
        if (state.missing === 0) this.#state = { kind: 'header' };
        return count;
      }
      case 'data':
        return this.#takeData(state, bytes);
      case 'extended': {
        const count = Math.min(state.missing, bytes.length);
        state.parts.push(Buffer.from(bytes.subarray(0, count)));
        state.missing -= count;
        if (state.missing === 0)
          this.#extended(state.type, Buffer.concat(state.parts), state.padding);
        return count;
      }
      default:
        return this.#takeBlock(bytes);
    }
  }

  #takeBlock(bytes: Buffer): number {
    const count = Math.min(blockBytes - this.#held.length, bytes.length);
    const block =
      this.#held.length === 0
        ? bytes.subarray(0, count)
        : Buffer.concat([this.#held, bytes.subarray(0, count)]);
    if (block.length < blockBytes) {
      this.#held = Buffer.from(block);
      return count;
    }
    this.#held = Buffer.alloc(0);
    this.#block(block);
    return count;
  }

  #block(block: Buffer): void {
    const state = this.#state;
    if (state.kind === 'gnu-sparse') {
      state.ranges.push(...gnuRanges(block, 0, 21));
      if (state.ranges.length > 1_000_000)
        throw invalid('the archive is absurd: an endless sparse map');
      if (block[504] === 0) this.#start(state.entry, state.ranges);
    } else if (state.kind === 'sparse-map') {
      const ranges = state.reader.block(block);
      if (state.reader.readBytes > state.entry.storedBytes)
        throw invalid('the archive is damaged: a sparse map is longer than its data');
      if (ranges === undefined) return;
      const storedBytes = state.entry.storedBytes - state.reader.readBytes;
      this.#start({ ...state.entry, storedBytes }, ranges);
    } else if (isZeroBlock(block)) {
      this.#state = { kind: 'end' };
    } else {
      this.#header(block);
    }
  }

  #header(block: Buffer): void {
    const raw = parseHeader(block);
    if ('xgLK'.includes(raw.type)) {
      if (raw.sizeBytes > maxExtendedBytes)
        throw invalid(`the archive is absurd: an extended header of ${raw.sizeBytes} bytes`);
      const padding = paddingOf(raw.sizeBytes);
      if (raw.sizeBytes === 0) return;
      this.#state = {
        kind: 'extended',
        type: raw.type,
        parts: [],
        missing: raw.sizeBytes,
        padding,
      };
      return;
    }
    const entry = this.#entryOf(raw);
    if (raw.type === 'S') this.#oldGnuSparse(entry, block);
    else if (this.#pax.get('GNU.sparse.major') === '1') this.#newSparse(entry);
    else if (this.#pax.has('GNU.sparse.map'))
      this.#start(this.#sparseEntry(entry), sparseMapOf(this.#pax.get('GNU.sparse.map') ?? ''));
    else this.#start(entry, undefined);
  }

  #extended(type: string, bytes: Buffer, padding: number): void {
    if (type === 'L') this.#longName = upToNul(bytes);
    else if (type === 'K') this.#longLink = upToNul(bytes);
    else if (type === 'x') this.#pax = parsePax(bytes);
    // A global header ('g') contains comments (git's commit ID), which Docker ignores too.
    this.#state = padding > 0 ? { kind: 'padding', missing: padding } : { kind: 'header' };
  }

  #entryOf(raw: RawHeader): TarEntry {
    const pax = this.#pax;
    const name = pax.get('GNU.sparse.name') ?? pax.get('path') ?? this.#longName ?? raw.name;
    const type = types[raw.type];
    if (type === undefined)
      throw invalid(
        `the archive holds ${JSON.stringify(name)} of unknown type ${JSON.stringify(raw.type)}`,
      );
    const size = pax.get('size');
    const uid = pax.get('uid');
    const gid = pax.get('gid');
    const modified = pax.get('mtime');
    const accessed = pax.get('atime');
    const declared = size === undefined ? raw.sizeBytes : paxNumber(size, 'size');
    // Links and nodes have no data, but some tools write the linked file's size (pax(1)).
    const sizeBytes = type === 'file' ? declared : 0;
    return {
      // V7 marks a directory only by a trailing slash.
      type: type === 'file' && name.endsWith('/') ? 'directory' : type,
      name,
      linkName: pax.get('linkpath') ?? this.#longLink ?? raw.linkName,
      mode: raw.mode,
      uid: uid === undefined ? raw.uid : paxNumber(uid, 'owner'),
      gid: gid === undefined ? raw.gid : paxNumber(gid, 'group'),
      sizeBytes,
      storedBytes: sizeBytes,
      modifiedNanos: modified === undefined ? raw.modifiedNanos : paxTime(modified),
      accessedNanos: accessed === undefined ? undefined : paxTime(accessed),
      major: raw.major,
      minor: raw.minor,
      xattrs: xattrsOf(pax),
    };
  }

  #oldGnuSparse(entry: TarEntry, block: Buffer): void {
    const sizeBytes = numberAt(block, 483, 12, 'size');
    const sparse = { ...entry, sizeBytes };
    const ranges = gnuRanges(block, 386, 4);
    if (block[482] === 0) this.#start(sparse, ranges);
    else this.#state = { kind: 'gnu-sparse', entry: sparse, ranges };
  }

  #newSparse(entry: TarEntry): void {
    this.#state = {
      kind: 'sparse-map',
      entry: this.#sparseEntry(entry),
      reader: new SparseMapReader(),
    };
  }

  #sparseEntry(entry: TarEntry): TarEntry {
    const size = this.#pax.get('GNU.sparse.realsize') ?? this.#pax.get('GNU.sparse.size') ?? '0';
    return { ...entry, sizeBytes: paxNumber(size, 'size') };
  }

  #start(entry: TarEntry, sparse: DataRange[] | undefined): void {
    const ranges = sparse ?? [{ offset: 0, lengthBytes: entry.storedBytes }];
    checkRanges(ranges, entry.sizeBytes, entry.storedBytes);
    this.#pax = new Map();
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#sink.entry(entry);
    const padding = paddingOf(entry.storedBytes);
    if (entry.storedBytes === 0) {
      this.#sink.endEntry();
      this.#state = { kind: 'header' };
    } else {
      this.#state = {
        kind: 'data',
        missing: entry.storedBytes,
        padding,
        ranges,
        range: 0,
        done: 0,
      };
    }
  }

  #takeData(state: State & { kind: 'data' }, bytes: Buffer): number {
    const range = state.ranges[state.range] ?? { offset: 0, lengthBytes: 0 };
    const count = Math.min(range.lengthBytes - state.done, bytes.length);
    if (count > 0) this.#sink.data(bytes.subarray(0, count), range.offset + state.done);
    state.done += count;
    state.missing -= count;
    if (state.done === range.lengthBytes) {
      state.range += 1;
      state.done = 0;
    }
    if (state.missing === 0) {
      this.#sink.endEntry();
      this.#state =
        state.padding > 0 ? { kind: 'padding', missing: state.padding } : { kind: 'header' };
    }
    return count;
  }
}

function paddingOf(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

function upToNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end === -1 ? bytes.length : end);
}

const xattrPrefix = 'SCHILY.xattr.';

function xattrsOf(pax: PaxRecords): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const [key, value] of pax)
    if (key.startsWith(xattrPrefix))
      found.set(key.slice(xattrPrefix.length), Buffer.from(value, 'latin1'));
  return found;
}
