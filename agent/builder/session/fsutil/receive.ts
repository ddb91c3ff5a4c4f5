/** fsutil's protocol, receiving: entries are listed, the content of those that differ is asked for, both at a time. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { invalid } from '../../../errors.ts';
import type { Stat } from '../../protocol/github.com/tonistiigi/fsutil/types/stat_pb.js';
import {
  type Packet,
  PacketSchema,
  Packet_PacketType as PacketType,
} from '../../protocol/github.com/tonistiigi/fsutil/types/wire_pb.js';
import type { MessageStream } from '../message-stream.ts';
import type { ArrivingFile } from './arriving-file.ts';
import { ReceivedTree } from './received-tree.ts';

/** As many as senders work on at a time, four, with room for others; each takes a descriptor and memory. */
const mostFilesAtOnce = 64;

export interface ReceiveOptions {
  /** Bytes that have arrived in all. */
  progress?: ((bytes: number) => void) | undefined;
}

/**
 * Brings the directory `root` up to date with the sender's. Throws invalid for what would leave it, and what the sender
 * reports. After a failure the directory holds a part of both states, from which the next try goes on.
 */
export async function receiveTree(
  stream: MessageStream,
  root: string,
  { progress }: ReceiveOptions = {},
): Promise<void> {
  const tree = new ReceivedTree(root);
  const transfer = new Transfer(stream, tree);
  let arrivedBytes = 0;
  try {
    for await (const batch of stream.batches()) {
      for (const message of batch) {
        arrivedBytes += message.length;
        const waiting = transfer.take(fromBinary(PacketSchema, message));
        if (waiting !== undefined) await waiting;
      }
      transfer.ask();
      progress?.(arrivedBytes);
    }
    if (!transfer.isFinished) throw invalid('the client ended before all files were there');
  } catch (error) {
    transfer.abandon();
    stream.sendLast(packet({ type: PacketType.PACKET_ERR, data: Buffer.from(String(error)) }));
    throw error;
  } finally {
    tree.close();
  }
}

class Transfer {
  readonly #stream: MessageStream;
  readonly #tree: ReceivedTree;
  #listed = 0;
  #isListComplete = false;
  isFinished = false;
  readonly #wanted = new Map<number, Stat>();
  readonly #arriving = new Map<number, ArrivingFile>();
  #questions: Uint8Array[] = [];

  constructor(stream: MessageStream, tree: ReceivedTree) {
    this.#stream = stream;
    this.#tree = tree;
  }

  take(packet: Packet): Promise<void> | undefined {
    switch (packet.type) {
      case PacketType.PACKET_STAT:
        if (packet.stat === undefined) this.#isListComplete = true;
        else this.#list(packet.stat);
        this.#finishIfComplete();
        return undefined;
      case PacketType.PACKET_DATA:
        return this.#write(packet);
      case PacketType.PACKET_ERR:
        throw invalid(`error from sender: ${Buffer.from(packet.data).toString()}`);
      default:
        // The answer to our FIN; the call ends after it.
        return undefined;
    }
  }

  /** Sends the questions of a batch together. The client reads them while it lists: waiting here could be for ever. */
  ask(): void {
    if (this.#questions.length > 0) this.#stream.send(...this.#questions);
    this.#questions = [];
  }

  abandon(): void {
    for (const file of this.#arriving.values()) file.abandon();
    this.#arriving.clear();
  }

  #list(stat: Stat): void {
    const id = this.#listed++;
    if (!this.#tree.list(stat)) return;
    this.#wanted.set(id, stat);
    this.#questions.push(packet({ type: PacketType.PACKET_REQ, ID: id }));
  }

  #write({ ID: id, data }: Packet): Promise<void> | undefined {
    const file = this.#arriving.get(id) ?? this.#begin(id);
    if (data.length > 0) return file.write(data);
    this.#arriving.delete(id);
    this.#wanted.delete(id);
    file.endSync();
    this.#finishIfComplete();
    return undefined;
  }

  #begin(id: number): ArrivingFile {
    const stat = this.#wanted.get(id);
    if (stat === undefined) throw invalid(`the client sent the file ${id}, which nobody asked for`);
    if (this.#arriving.size >= mostFilesAtOnce)
      throw invalid(`the client sends more than ${mostFilesAtOnce} files at a time`);
    const file = this.#tree.file(stat);
    this.#arriving.set(id, file);
    return file;
  }

  #finishIfComplete(): void {
    if (!this.#isListComplete || this.#wanted.size > 0 || this.isFinished) return;
    this.#tree.finish();
    this.isFinished = true;
    this.#questions.push(packet({ type: PacketType.PACKET_FIN }));
  }
}

const packet = (fields: { type: PacketType; ID?: number; data?: Uint8Array }) =>
  toBinary(PacketSchema, create(PacketSchema, fields));
