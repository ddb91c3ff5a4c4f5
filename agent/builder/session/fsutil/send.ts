/** fsutil's protocol, sending: lists what lies below a directory and sends the content of what is asked for. */
import { type BigIntStats, constants, lstatSync, readlinkSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { invalid } from '../../../errors.ts';
import { O_NOFOLLOW, O_PATH, openat2, splitDevice, withFd } from '../../../kernel/files.ts';
import { getXattr, listXattrs } from '../../../kernel/xattr.ts';
import {
  type Stat,
  StatSchema,
} from '../../protocol/github.com/tonistiigi/fsutil/types/stat_pb.js';
import {
  PacketSchema,
  Packet_PacketType as PacketType,
} from '../../protocol/github.com/tonistiigi/fsutil/types/wire_pb.js';
import type { MessageStream } from '../message-stream.ts';
import { goModeOf } from './go-mode.ts';

const chunkBytes = 128 * 1024;

/** Resolves when the receiver has all that it wants. Throws what the receiver reports. */
export async function sendTree(stream: MessageStream, root: string): Promise<void> {
  const sender = new Sender(stream, root);
  try {
    const [received] = await Promise.all([sender.answer(), sender.list()]);
    if (!received) throw invalid('the client ended before it had all files');
  } catch (error) {
    stream.sendLast(encode({ type: PacketType.PACKET_ERR, data: Buffer.from(String(error)) }));
    throw error;
  }
}

class Sender {
  readonly #stream: MessageStream;
  readonly #root: string;
  /** Paths of files by their number in the list. */
  readonly #files = new Map<number, string>();
  #listed = 0;
  /** The first name of each file that has several. */
  readonly #firstNames = new Map<string, string>();

  constructor(stream: MessageStream, root: string) {
    this.#stream = stream;
    this.#root = root;
  }

  async list(): Promise<void> {
    await this.#listDirectory('');
    await this.#send({ type: PacketType.PACKET_STAT });
  }

  /** True once the receiver has said that it is done. */
  async answer(): Promise<boolean> {
    let isDone = false;
    for await (const batch of this.#stream.batches())
      for (const message of batch) {
        const packet = fromBinary(PacketSchema, message);
        if (packet.type === PacketType.PACKET_ERR)
          throw invalid(`error from receiver: ${Buffer.from(packet.data).toString()}`);
        if (packet.type === PacketType.PACKET_REQ) await this.#sendFile(packet.ID);
        if (packet.type !== PacketType.PACKET_FIN) continue;
        isDone = true;
        this.#stream.send(encode({ type: PacketType.PACKET_FIN }));
        this.#stream.end();
      }
    return isDone;
  }

  async #listDirectory(directory: string): Promise<void> {
    const names = await readdir(join(this.#root, directory), { encoding: 'buffer' });
    for (const bytes of names.sort(Buffer.compare)) {
      const path = directory === '' ? bytes.toString() : `${directory}/${bytes.toString()}`;
      const file = lstatSync(join(this.#root, path), { bigint: true });
      if (file.isSocket()) continue;
      if (file.isFile()) this.#files.set(this.#listed, path);
      this.#listed++;
      await this.#send({ type: PacketType.PACKET_STAT, stat: this.#statOf(path, file) });
      if (file.isDirectory()) await this.#listDirectory(path);
    }
  }

  #statOf(path: string, file: BigIntStats): Stat {
    const isDevice = file.isBlockDevice() || file.isCharacterDevice();
    const { major, minor } = splitDevice(isDevice ? file.rdev : 0);
    return create(StatSchema, {
      path,
      mode: goModeOf(Number(file.mode)),
      uid: Number(file.uid),
      gid: Number(file.gid),
      size: file.isFile() ? file.size : 0n,
      modTime: file.mtimeNs,
      linkname: this.#linkOf(path, file),
      devmajor: BigInt(major),
      devminor: BigInt(minor),
      xattrs: file.isSymbolicLink() ? {} : xattrsOf(join(this.#root, path)),
    });
  }

  #linkOf(path: string, file: BigIntStats): string {
    if (file.isSymbolicLink()) return readlinkSync(join(this.#root, path));
    if (!file.isFile() || file.nlink === 1n) return '';
    const key = `${file.dev} ${file.ino}`;
    const first = this.#firstNames.get(key);
    if (first === undefined) this.#firstNames.set(key, path);
    return first ?? '';
  }

  async #sendFile(id: number): Promise<void> {
    const path = this.#files.get(id);
    if (path === undefined)
      throw invalid(`the client asked for the file ${id}, which there is not`);
    this.#files.delete(id);
    const file = await open(join(this.#root, path), constants.O_RDONLY | O_NOFOLLOW);
    try {
      for await (const data of chunksOf(file))
        await this.#send({ type: PacketType.PACKET_DATA, ID: id, data });
    } finally {
      await file.close();
    }
    await this.#send({ type: PacketType.PACKET_DATA, ID: id });
  }

  async #send(fields: PacketFields): Promise<void> {
    if (!this.#stream.send(encode(fields))) await this.#stream.drained();
  }
}

async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

function xattrsOf(path: string): Record<string, Uint8Array> {
  return withFd(openat2(-100, path, O_PATH | O_NOFOLLOW, 0), (fd) =>
    Object.fromEntries(
      listXattrs(fd).flatMap((name) => {
        const value = getXattr(fd, name);
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  );
}

interface PacketFields {
  type: PacketType;
  stat?: Stat;
  ID?: number;
  data?: Uint8Array;
}

const encode = (fields: PacketFields) => toBinary(PacketSchema, create(PacketSchema, fields));
