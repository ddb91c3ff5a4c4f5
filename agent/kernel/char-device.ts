/**
 * A character device as a stream. Node has streams for sockets, pipes and terminals only, and tells
 * them apart by their descriptor when the stream is made; a plain read of anything else waits on one
 * of the few threads of libuv's pool, and for ever where a device has nothing to say.
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

/**
 * Stays open from one peer to the next: a virtio port throws away what it holds when it is closed,
 * and that may be a new peer's first word.
 */
export class CharDevice {
  readonly #path: string;
  #device: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Undefined while nobody is at the other end: a virtio port then reads as ended
   * (drivers/char/virtio_console.c), a pseudo-terminal as broken. The stream ends, or breaks, when the
   * other end leaves; it has no half-close: destroy it. One at a time. Throws Node's error for a
   * device that cannot be opened.
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

/** One for all tries, of which a port has forty a second until somebody comes. */
const chunk = Buffer.alloc(chunkBytes);

/** What is there to read, which may be nothing yet; undefined for an other end that nobody holds. */
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
 * Node looks at the descriptor once, and reads, writes and polls it in ways that any device knows
 * after that. So it is shown a socket, whose place the device then takes (dup(2)).
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
