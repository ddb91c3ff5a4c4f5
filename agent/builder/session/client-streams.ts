/** Streams of bytes to and from a client: messages with one field `data`, which several services have alike. */
import { Duplex, Readable, Writable } from 'node:stream';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BytesMessageSchema } from '../protocol/github.com/moby/buildkit/session/filesync/filesync_pb.js';
import type { MessageStream } from './message-stream.ts';

/** Clients take messages of 4 MB at most (gRPC's default). */
const maxDataBytes = 1024 ** 2;

/** Ending it waits until the client has taken all; destroying it cancels the call. */
export function writableOf(stream: MessageStream): Writable {
  const answered = drain(stream);
  // Heard of when writing ends, or at the next write.
  answered.catch(() => {});
  return new Writable({
    write: (data: Buffer, _encoding, done) => settle(sendAll(stream, data), done),
    final: (done) => {
      stream.end();
      settle(answered, done);
    },
    destroy: (error, done) => {
      if (error !== null) stream.cancel();
      done(error);
    },
  });
}

export function readableOf(stream: MessageStream): Readable {
  return Readable.from(dataOf(stream), { objectMode: false });
}

export function duplexOf(stream: MessageStream): Duplex {
  const messages = dataOf(stream);
  return new Duplex({
    read() {
      messages.next().then(
        ({ value, done }) => this.push(done ? null : value),
        (error: Error) => this.destroy(error),
      );
    },
    write: (data: Buffer, _encoding, done) => settle(sendAll(stream, data), done),
    final: (done) => {
      stream.end();
      done();
    },
    destroy: (error, done) => {
      stream.cancel();
      done(error);
    },
  });
}

async function* dataOf(stream: MessageStream): AsyncGenerator<Uint8Array> {
  for await (const batch of stream.batches())
    for (const message of batch) {
      const { data } = fromBinary(BytesMessageSchema, message);
      // An empty chunk would end the reading of a Readable.
      if (data.length > 0) yield data;
    }
}

async function sendAll(stream: MessageStream, data: Buffer): Promise<void> {
  for (let at = 0; at < data.length; at += maxDataBytes) {
    const part = data.subarray(at, at + maxDataBytes);
    const message = toBinary(BytesMessageSchema, create(BytesMessageSchema, { data: part }));
    if (!stream.send(message)) await stream.drained();
  }
}

async function drain(stream: MessageStream): Promise<void> {
  for await (const _ of stream.batches());
}

function settle(work: Promise<void>, done: (error?: Error | null) => void): void {
  work.then(
    () => done(),
    (error: Error) => done(error),
  );
}
