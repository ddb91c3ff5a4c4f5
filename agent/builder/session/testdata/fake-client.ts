/** A client with services, as docker's buildx is one: HTTP/2 served on one end of a pair of streams. */
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type Stat,
  StatSchema,
} from '../../protocol/github.com/tonistiigi/fsutil/types/stat_pb.js';
import {
  type Packet,
  PacketSchema,
  Packet_PacketType as PacketType,
} from '../../protocol/github.com/tonistiigi/fsutil/types/wire_pb.js';
import { goModeOf } from '../fsutil/go-mode.ts';
import { MessageSplitter } from '../message-stream.ts';

/** One call: throw to end it with an error; its message becomes gRPC's. */
export type Method = (call: ServedCall) => Promise<void>;

export class ServedCall {
  readonly stream: ServerHttp2Stream;
  readonly headers: NodeJS.Dict<string | string[]>;

  constructor(stream: ServerHttp2Stream, headers: NodeJS.Dict<string | string[]>) {
    this.stream = stream;
    this.headers = headers;
  }

  async *messages(): AsyncGenerator<Buffer> {
    const splitter = new MessageSplitter();
    const chunks = this.stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    for await (const chunk of chunks) yield* splitter.push(chunk);
  }

  send(message: Uint8Array): void {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    this.stream.write(Buffer.concat([prefix, message]));
  }
}

/** Our end of a connection to a client that serves `methods`, by path. */
export function fakeClient(methods: Readonly<Record<string, Method>>): Duplex {
  const [ours, theirs] = duplexPair();
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {});
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc' },
      { waitForTrailers: true },
    );
    let status = { 'grpc-status': '0', 'grpc-message': '' };
    stream.on('wantTrailers', () => stream.sendTrailers(status));
    const method = methods[String(headers[':path'])];
    const work =
      method?.(new ServedCall(stream, headers)) ?? Promise.reject(new Error('12 unknown'));
    work
      .catch((error: Error) => {
        const [code = '', ...words] = error.message.split(' ');
        const isCode = /^\d+$/.test(code);
        status = {
          'grpc-status': isCode ? code : '2',
          'grpc-message': encodeURIComponent(isCode ? words.join(' ') : error.message),
        };
      })
      .finally(() => stream.end());
  });
  server.emit('connection', theirs);
  return ours;
}

export interface FakeFile {
  path: string;
  /** As in stat(2), with the type's bits. */
  mode: number;
  content?: string | Buffer;
  linkname?: string;
  modTime?: bigint;
  xattrs?: Record<string, Uint8Array>;
}

export const directory = (path: string, more: Partial<FakeFile> = {}): FakeFile => ({
  path,
  mode: 0o40755,
  ...more,
});
export const file = (path: string, content: string | Buffer, more: Partial<FakeFile> = {}) => ({
  path,
  mode: 0o100644,
  content,
  ...more,
});
export const symlink = (path: string, linkname: string): FakeFile => ({
  path,
  mode: 0o120777,
  linkname,
});

export function statOf(fake: FakeFile): Stat {
  const { path, mode, content = '', linkname = '', modTime = 1_600_000_000_123_456_789n } = fake;
  return create(StatSchema, {
    path,
    mode: goModeOf(mode),
    uid: 1000,
    gid: 1000,
    size: BigInt(Buffer.byteLength(content)),
    modTime,
    linkname,
    xattrs: fake.xattrs ?? {},
  });
}

export const packet = (fields: Partial<Omit<Packet, '$typeName' | '$unknown'>>) =>
  toBinary(PacketSchema, create(PacketSchema, fields));

/** A sender of fsutil's protocol that lists what it is told to, be it nonsense, and notes what it is asked for. */
export function serveFiles(
  files: () => readonly FakeFile[],
  asked: string[] = [],
  errors: string[] = [],
): Method {
  return async (call) => {
    const list = files();
    for (const each of list)
      call.send(packet({ type: PacketType.PACKET_STAT, stat: statOf(each) }));
    call.send(packet({ type: PacketType.PACKET_STAT }));
    for await (const message of call.messages()) {
      const { type, ID, data } = fromBinary(PacketSchema, message);
      if (type === PacketType.PACKET_ERR) {
        errors.push(Buffer.from(data).toString());
        return;
      }
      if (type === PacketType.PACKET_FIN) {
        call.send(packet({ type: PacketType.PACKET_FIN }));
        return;
      }
      const { path = '', content = '' } = list[ID] ?? {};
      asked.push(path);
      const bytes = Buffer.from(content);
      for (let at = 0; at < bytes.length; at += 32 * 1024)
        call.send(
          packet({ type: PacketType.PACKET_DATA, ID, data: bytes.subarray(at, at + 32 * 1024) }),
        );
      call.send(packet({ type: PacketType.PACKET_DATA, ID }));
    }
  };
}
