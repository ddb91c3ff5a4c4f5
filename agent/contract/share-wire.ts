/**
 * What goes over the channel of a shared host folder: the agent asks, the host answers and, unasked,
 * tells what changed. Frames in both directions:
 *
 *     u32 length of the whole frame | u32 id | u16 operation | u16 errno (Linux's number) | body
 *
 * little endian, strings and names as u32 length and bytes. A reply has its question's id and
 * operation. What a question of the kernel's asks to be done has that question's even number, so that an
 * agent which is asked it again, in place of another one, has it done once; all else has odd ones.
 * An open file's number is that of the question too, in full, so that whoever is asked again says the same.
 * Names and paths are bytes, as Linux has them; in memory they are latin1 strings, one
 * character a byte, because those make good keys. Paths are relative to the folder; its own is ''.
 */

export const shareVersion = 3;
/**
 * In the agent's run directory, and root's alone: where a host with users of its own has the folders of
 * other computers. A shared folder's files are of whoever looks, which there must not be everybody.
 */
export const computersDirectory = 'computers';
export const frameHeaderBytes = 12;
/** Of one read or write on the wire: the longest that small questions wait behind. */
export const pieceBytes = 128 * 1024;
/** A frame longer than this is no frame of ours. */
export const longestFrameBytes = 4 * 1024 * 1024;

export const ShareOperation = {
  hello: 1,
  lookup: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mkdir: 7,
  unlink: 8,
  rmdir: 9,
  rename: 10,
  link: 11,
  open: 12,
  create: 13,
  read: 14,
  write: 15,
  release: 16,
  fsync: 17,
  list: 18,
  statfs: 19,
  unwatch: 20,
  bye: 21,
  changes: 22,
  watch: 23,
  /** The files that an agent took over from another: the host closes all others. */
  retain: 24,
  /** Answers that the agent has, and will not ask for again. */
  have: 25,
  /** All that is asked again after a lost connection or agent has been asked: what else was done, nobody heard of. */
  settled: 26,
  /** Changes that the machine itself asked for and never heard of; it may know them all the same. */
  missed: 27,
  /** More has changed than could be kept: whatever the machine knows may be otherwise. */
  lost: 28,
} as const;

/** What must not be done a second time: the host remembers its answers until the agent has them. */
export const changingOperations: ReadonlySet<number> = new Set([
  ShareOperation.setattr,
  ShareOperation.symlink,
  ShareOperation.mkdir,
  ShareOperation.unlink,
  ShareOperation.rmdir,
  ShareOperation.rename,
  ShareOperation.link,
  ShareOperation.open,
  ShareOperation.create,
  ShareOperation.write,
  ShareOperation.release,
]);

/** The host's first frame, as JSON: which folder this channel is for. */
export interface ShareHello {
  version: number;
  /** The same for the same folder over all connections, so that a mount is taken up again. */
  share: string;
  /** Where it is mounted in the machine. */
  mountPath: string;
  readOnly: boolean;
  /** Another one has none of the open files that an earlier one had. */
  instance: string;
}

/** The agent's answer to it. */
export interface ShareWelcome {
  /** Of the mount: a new one has no claims on what an earlier one left unanswered. */
  mount: string;
  /**
   * How many frames that the host told unasked have arrived from this instance, so that it tells the others again.
   * Absent where the agent goes by nothing that was told before.
   */
  heard?: number;
}

/** Bits of setattr's mask. */
export const SetAttribute = { mode: 1, size: 2, accessed: 4, modified: 8 } as const;

/**
 * One file's attributes: `struct fuse_attr` as the kernel takes it, then the nanosecond of birth,
 * which with the inode's number names a file for good, where a number alone is used again.
 */
export const statBytes = 96;
export const Stat = {
  inode: 0,
  size: 8,
  blocks: 16,
  accessed: 24,
  modified: 32,
  changed: 40,
  accessedNanos: 48,
  modifiedNanos: 52,
  changedNanos: 56,
  mode: 60,
  links: 64,
  uid: 68,
  gid: 72,
  device: 76,
  blockSize: 80,
  flags: 84,
  birth: 88,
} as const;

/** In Stat.flags on the wire: the host tells of changes to this file, so it may be kept. */
export const watchedFlag = 1;

/** The last two are never on the wire: all or all attributes of a file may be others now. */
export const ChangeKind = {
  created: 1,
  modified: 2,
  attributes: 3,
  removed: 4,
  renamed: 5,
  lost: 6,
  attributesLost: 7,
} as const;

export class FrameWriter {
  #buffer: Buffer;
  #length = frameHeaderBytes;

  constructor(id: number, operation: number, errno = 0, roomBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(frameHeaderBytes + roomBytes);
    this.#buffer.writeUInt32LE(id, 4);
    this.#buffer.writeUInt16LE(operation, 8);
    this.#buffer.writeUInt16LE(errno, 10);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#room(1);
    this.#length = this.#buffer.writeUInt8(value, this.#length);
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
    return this;
  }

  /** Up to 2^53. */
  u64(value: number): this {
    return this.u32(value % 0x1_0000_0000).u32(Math.floor(value / 0x1_0000_0000));
  }

  f64(value: number): this {
    this.#room(8);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
    return this;
  }

  /** Bytes with their length before them. */
  bytes(value: Uint8Array): this {
    return this.u32(value.length).raw(value);
  }

  raw(value: Uint8Array): this {
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A name or path of latin1 characters. */
  name(value: string): this {
    this.u32(value.length);
    this.#room(value.length);
    this.#length += this.#buffer.write(value, this.#length, 'latin1');
    return this;
  }

  finish(): Buffer {
    this.#buffer.writeUInt32LE(this.#length, 0);
    return this.#buffer.subarray(0, this.#length);
  }

  #room(more: number): void {
    if (this.#length + more <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + more));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** Reads one frame; throws RangeError beyond its end. */
export class FrameReader {
  readonly id: number;
  readonly operation: number;
  readonly errno: number;
  readonly #frame: Buffer;
  #at = frameHeaderBytes;

  constructor(frame: Buffer) {
    this.#frame = frame;
    this.id = frame.readUInt32LE(4);
    this.operation = frame.readUInt16LE(8);
    this.errno = frame.readUInt16LE(10);
  }

  /** From its beginning. */
  again(): FrameReader {
    return new FrameReader(this.#frame);
  }

  /** In memory of its own, from its beginning. */
  copy(): FrameReader {
    return new FrameReader(Buffer.from(this.#frame));
  }

  get left(): number {
    return this.#frame.length - this.#at;
  }

  u8(): number {
    return this.#frame.readUInt8(this.#advance(1));
  }

  u32(): number {
    return this.#frame.readUInt32LE(this.#advance(4));
  }

  u64(): number {
    const low = this.u32();
    return low + this.u32() * 0x1_0000_0000;
  }

  f64(): number {
    return this.#frame.readDoubleLE(this.#advance(8));
  }

  bytes(): Buffer {
    return this.raw(this.u32());
  }

  raw(length: number): Buffer {
    const at = this.#advance(length);
    return this.#frame.subarray(at, at + length);
  }

  name(): string {
    return this.bytes().toString('latin1');
  }

  #advance(length: number): number {
    const at = this.#at;
    if (at + length > this.#frame.length) throw new RangeError('a share frame ends too early');
    this.#at = at + length;
    return at;
  }
}

/** Cuts a stream of bytes into frames. A frame's memory is its own, or the chunk's that held it. */
export class FrameSplitter {
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  /** Throws RangeError for what cannot be a frame. */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    let wanted = this.#nextLength();
    if (wanted === undefined || this.#pendingBytes < wanted) return;
    let rest = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
    this.#pending = [];
    while (wanted !== undefined && rest.length >= wanted) {
      onFrame(rest.subarray(0, wanted));
      rest = rest.subarray(wanted);
      wanted = lengthOf(rest);
    }
    if (rest.length > 0) this.#pending = [rest];
    this.#pendingBytes = rest.length;
  }

  #nextLength(): number | undefined {
    if (this.#pendingBytes < 4) return undefined;
    if (this.#pending[0]!.length < 4) this.#pending = [Buffer.concat(this.#pending)];
    return lengthOf(this.#pending[0]!);
  }
}

function lengthOf(bytes: Buffer): number | undefined {
  if (bytes.length < 4) return undefined;
  const length = bytes.readUInt32LE(0);
  if (length < frameHeaderBytes || length > longestFrameBytes)
    throw new RangeError(`a share frame of ${length} bytes`);
  return length;
}

/** Path of a name in a folder. */
export const joinPath = (folder: string, name: string) =>
  folder === '' ? name : `${folder}/${name}`;

export function splitPath(path: string): { folder: string; name: string } {
  const slash = path.lastIndexOf('/');
  return slash === -1
    ? { folder: '', name: path }
    : { folder: path.slice(0, slash), name: path.slice(slash + 1) };
}
