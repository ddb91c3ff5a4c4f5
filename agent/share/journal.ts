/**
 * What the next agent must know about a mounted folder: the kernel's node numbers and open files. Each change is
 * written as a record to a file in memory before the kernel learns of it; now and then the file is rewritten without
 * outdated records.
 */
import { closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import {
  FrameReader,
  FrameSplitter,
  FrameWriter,
  frameHeaderBytes,
  Stat,
  statBytes,
} from '../contract/share-wire.ts';
import type { KeptTable, Node, NodeLog } from './node-table.ts';

const Record = {
  made: 1,
  linked: 2,
  unlinked: 3,
  counted: 4,
  dropped: 5,
  opened: 6,
  closed: 7,
  openedFolder: 8,
  closedFolder: 9,
  user: 10,
  facts: 14,
  asked: 12,
  answered: 13,
} as const;

export interface KeptFile {
  handle: number;
  node: number;
  flags: number;
  isLazy: boolean;
  /** Whether some writes may not have reached the host. */
  isUnsure: boolean;
}

export interface KeptFacts {
  /** Last node number in use; numbers are never reused. */
  lastNode: number;
  /** Replay thread of the agent that wrote it, whose last requests must not reach the host. */
  replayThreadId: number;
  /** Whether the kernel can repeat unanswered requests. */
  resendsRequests: boolean;
}

export interface KeptState extends KeptTable, KeptFacts {
  files: Map<number, KeptFile>;
  /** Nodes of open folders by handle. */
  folders: Map<number, number>;
  users: Set<number>;
  /** Unanswered requests, when the kernel does not repeat them itself. */
  unanswered: Set<bigint>;
}

/** Largest size of one write. */
const mostRecordBytes = 256 * 1024;
/** Smaller files are not rewritten. */
const smallBytes = 1024 * 1024;

export class Journal implements NodeLog {
  readonly #path: string;
  readonly #report: (error: unknown) => void;
  #writeAll: (() => void) | undefined;
  #fd: number | undefined;
  #records = new FrameWriter(0, 0);
  #bytes = 0;
  #bytesOfAll = 0;

  constructor(path: string, report: (error: unknown) => void) {
    this.#path = path;
    this.#report = report;
  }

  /** `writeAll` records the whole state in this journal. */
  begin(writeAll: () => void): void {
    this.#writeAll = writeAll;
    this.#writeAnew();
  }

  made({ id, stat }: Node): void {
    this.#start(Record.made)
      .u64(id)
      .raw(stat.subarray(Stat.inode, Stat.inode + 8));
    this.#records.raw(stat.subarray(Stat.birth, Stat.birth + 8));
    this.#records.u32(stat.readUInt32LE(Stat.mode)).u32(stat.readUInt32LE(Stat.links));
  }

  linked(node: Node, folder: Node, name: string): void {
    this.#start(Record.linked).u64(node.id).u64(folder.id).name(name);
  }

  unlinked(folder: Node, name: string): void {
    this.#start(Record.unlinked).u64(folder.id).name(name);
  }

  counted({ id, lookups }: Node): void {
    this.#start(Record.counted).u64(id).u64(lookups);
  }

  dropped({ id }: Node): void {
    this.#start(Record.dropped).u64(id);
  }

  /** Must be called again after a change of the file. */
  opened({ handle, node, flags, isLazy, isUnsure }: KeptFile): void {
    this.#start(Record.opened).u64(handle).u64(node).u32(flags);
    this.#records.u8((isLazy ? 1 : 0) | (isUnsure ? 2 : 0));
  }

  closed(handle: number): void {
    this.#start(Record.closed).u64(handle);
  }

  openedFolder(handle: number, node: number): void {
    this.#start(Record.openedFolder).u64(handle).u64(node);
  }

  closedFolder(handle: number): void {
    this.#start(Record.closedFolder).u64(handle);
  }

  user(uid: number): void {
    this.#start(Record.user).u32(uid);
  }

  facts({ lastNode, replayThreadId, resendsRequests }: KeptFacts): void {
    this.#start(Record.facts).u64(lastNode);
    this.#records.u32(replayThreadId).u8(resendsRequests ? 1 : 0);
  }

  asked(unique: bigint): void {
    this.#start(Record.asked).u64(Number(unique));
  }

  answered(unique: bigint): void {
    this.#start(Record.answered).u64(Number(unique));
  }

  /** Must be called before a recorded change becomes visible. */
  flush(): void {
    if (this.#records.length === frameHeaderBytes) return;
    if (this.#bytes > Math.max(smallBytes, 2 * this.#bytesOfAll)) this.#writeAnew();
    else this.#write();
  }

  close(): void {
    this.flush();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #start(record: number): FrameWriter {
    if (this.#records.length > mostRecordBytes) this.#write();
    return this.#records.u8(record);
  }

  #write(): void {
    const frame = this.#records.finish();
    this.#records = new FrameWriter(0, 0);
    if (this.#fd === undefined) return;
    try {
      for (let at = 0; at < frame.length; ) at += writeSync(this.#fd, frame, at);
      this.#bytes += frame.length;
    } catch (error) {
      // The folder goes on working, but the next agent cannot serve it.
      this.#report(error);
      closeSync(this.#fd);
      this.#fd = undefined;
    }
  }

  #writeAnew(): void {
    const before = this.#fd;
    // Pending records are part of the whole state.
    this.#records = new FrameWriter(0, 0);
    try {
      this.#fd = openSync(`${this.#path}.new`, 'w', 0o600);
      this.#bytes = 0;
      this.#writeAll?.();
      this.#write();
      this.#bytesOfAll = this.#bytes;
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#report(error);
    }
    if (before !== undefined) closeSync(before);
  }
}

/** Reads a journal. Throws ENOENT when there is none. */
export function readJournal(path: string): KeptState {
  const state: KeptState = {
    nodes: new Map(),
    lastNode: 1,
    files: new Map(),
    folders: new Map(),
    replayThreadId: 0,
    resendsRequests: false,
    users: new Set(),
    unanswered: new Set(),
  };
  // The last frame may be incomplete when the agent was killed.
  new FrameSplitter().push(readFileSync(path), (frame) => {
    const reader = new FrameReader(frame);
    while (reader.left > 0) take(state, reader);
  });
  return state;
}

function take(state: KeptState, reader: FrameReader): void {
  const record = reader.u8();
  switch (record) {
    case Record.made:
      takeNode(state, reader);
      break;
    case Record.linked: {
      const [node, folder, name] = [reader.u64(), reader.u64(), reader.name()];
      state.nodes.get(folder)?.children.set(name, node);
      break;
    }
    case Record.unlinked: {
      const [folder, name] = [reader.u64(), reader.name()];
      state.nodes.get(folder)?.children.delete(name);
      break;
    }
    case Record.counted: {
      const [id, lookups] = [reader.u64(), reader.u64()];
      const node = state.nodes.get(id);
      if (node !== undefined) node.lookups = lookups;
      break;
    }
    case Record.dropped:
      state.nodes.delete(reader.u64());
      break;
    case Record.facts:
      state.lastNode = Math.max(state.lastNode, reader.u64());
      state.replayThreadId = reader.u32();
      state.resendsRequests = reader.u8() !== 0;
      break;
    case Record.user:
      state.users.add(reader.u32());
      break;
    case Record.asked:
      state.unanswered.add(BigInt(reader.u64()));
      break;
    case Record.answered:
      state.unanswered.delete(BigInt(reader.u64()));
      break;
    default:
      takeOpen(state, record, reader);
  }
}

function takeNode(state: KeptState, reader: FrameReader): void {
  const id = reader.u64();
  const stat = Buffer.alloc(statBytes);
  reader.raw(8).copy(stat, Stat.inode);
  reader.raw(8).copy(stat, Stat.birth);
  stat.writeUInt32LE(reader.u32(), Stat.mode);
  stat.writeUInt32LE(reader.u32(), Stat.links);
  state.nodes.set(id, { stat, lookups: 0, children: new Map() });
  state.lastNode = Math.max(state.lastNode, id);
}

function takeOpen(state: KeptState, record: number, reader: FrameReader): void {
  const handle = reader.u64();
  if (record === Record.opened) {
    const [node, flags, bits] = [reader.u64(), reader.u32(), reader.u8()];
    const file = { handle, node, flags, isLazy: (bits & 1) !== 0, isUnsure: (bits & 2) !== 0 };
    state.files.set(handle, file);
  } else if (record === Record.closed) state.files.delete(handle);
  else if (record === Record.openedFolder) state.folders.set(handle, reader.u64());
  else if (record === Record.closedFolder) state.folders.delete(handle);
  else throw new RangeError(`a record of kind ${record} in the journal of a folder`);
}
