/** The caller's end of `--console-socket`: listens, and receives a terminal (unix(7), SCM_RIGHTS). */
import { closeSync } from 'node:fs';
import { addressOf, libcCall } from '../../kernel/libc.ts';

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const bindCall = libcCall('bind', ['int', 'void *', 'uint']);
const listenCall = libcCall('listen', ['int', 'int']);
const acceptCall = libcCall('accept', ['int', 'void *', 'void *']);
const recvmsgCall = libcCall('recvmsg', ['int', 'void *', 'int'], 'long');

export class ConsoleSocket {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = socketCall(path, 1, 1, 0);
    const address = Buffer.alloc(110);
    address.writeUInt16LE(1, 0);
    address.write(path, 2);
    bindCall(path, this.#fd, address, address.length);
    listenCall(path, this.#fd, 1);
  }

  /** Waits for it, and blocks this thread meanwhile. */
  receive(): number {
    const connection = acceptCall(undefined, this.#fd, null, null);
    const memory = Buffer.alloc(256);
    const base = addressOf(memory);
    memory.writeBigUInt64LE(base + 56n, 16);
    memory.writeBigUInt64LE(1n, 24);
    memory.writeBigUInt64LE(base + 72n, 32);
    memory.writeBigUInt64LE(24n, 40);
    memory.writeBigUInt64LE(base + 96n, 56);
    memory.writeBigUInt64LE(100n, 64);
    recvmsgCall(undefined, connection, memory, 0x40000000);
    closeSync(connection);
    return memory.readInt32LE(72 + 16);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
