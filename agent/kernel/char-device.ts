/**
 * A character device as a stream. Node has streams only for sockets, pipes and terminals, and recognises them by the
 * descriptor when the stream is created; a plain read of another file occupies one of the few threads of libuv's
 * pool, forever if a device has no data.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { O_CLOEXEC } from './files.ts';
import { hasErrno, libcCall } from './libc.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const chunkBytes = 64 * 1024;

const socketpairCall = libcCall('socketpair', ['int', 'int', 'int', 'void *']);
const dup3Call = libcCall('dup3', ['int', 'int', 'int']);

/** The device stays open between peers: closing a virtio port drops its data, which may be a new peer's first bytes. */
export class CharDevice {
  readonly #path: string;
  #device: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Opens a stream; `undefined` while no peer has the other end open: a virtio port then reads as ended
   * (drivers/char/virtio_console.c), a pseudo-terminal as broken. The stream ends, or breaks, when the peer leaves;
   * it has no half-close and must be destroyed. Only one may exist at a time. Throws Node's error for a device that
   * cannot be opened.
   */
  connect(): Socket | undefined {
    const flags = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY;
    this.#device ??= openSync(this.#path, flags);
    const first = firstBytes(this.#device);
    if (first === undefined) return undefined;
    const stream = streamOf(this.#device, this.#path);
    if (first.length > 0) stream.unshift(first);
    return stream;
  }

  close(): void {
    if (this.#device !== undefined) closeSync(this.#device);
    this.#device = undefined;
  }
}

/** One buffer for all tries; a port is tried forty times a second until a peer comes. */
const chunk = Buffer.alloc(chunkBytes);

/** Available bytes, perhaps none; `undefined` without a peer. */
function firstBytes(device: number): Buffer | undefined {
  try {
    const length = readSync(device, chunk);
    return length === 0 ? undefined : Buffer.from(chunk.subarray(0, length));
  } catch (error) {
    if (hasErrno(error, 'EAGAIN')) return Buffer.alloc(0);
    if (hasErrno(error, 'EIO')) return undefined;
    throw error;
  }
}

/**
 * Node checks the type of a descriptor only once, and afterwards reads, writes and polls it in ways that work for any
 * device. So it gets a socket, which the device then replaces (dup(2)).
 */
function streamOf(device: number, path: string): Socket {
  const pair = Buffer.alloc(8);
  socketpairCall(path, AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, pair);
  const [shown, other] = [pair.readInt32LE(0), pair.readInt32LE(4)];
  closeSync(other);
  const stream = new Socket({ fd: shown, allowHalfOpen: true });
  dup3Call(path, device, shown, O_CLOEXEC);
  return stream;
}
