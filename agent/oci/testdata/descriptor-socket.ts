/** The other end of `--console-socket` and `listenerPath`: listens, and receives a descriptor (unix(7), SCM_RIGHTS). */
import { closeSync } from 'node:fs';
import { addressOf, libcCall } from '../../kernel/libc.ts';
import { PollEvent, poll } from '../../kernel/poll.ts';

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const bindCall = libcCall('bind', ['int', 'void *', 'uint']);
const listenCall = libcCall('listen', ['int', 'int']);
const acceptCall = libcCall('accept', ['int', 'void *', 'void *']);
const recvmsgCall = libcCall('recvmsg', ['int', 'void *', 'int'], 'long');

const patienceMs = 60_000;

/** struct msghdr, struct iovec, struct cmsghdr and the content, one after the other. */
const at = { vector: 56, control: 72, content: 96 } as const;
const mostBytes = 8192;

export class DescriptorSocket {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = socketCall(path, 1, 1, 0);
    const address = Buffer.alloc(110);
    address.writeUInt16LE(1, 0);
    address.write(path, 2);
    bindCall(path, this.#fd, address, address.length);
    listenCall(path, this.#fd, 1);
  }

  /** Waits for one, and blocks this thread meanwhile. */
  receive(): { fd: number; text: string } {
    const deadline = performance.now() + patienceMs;
    // A signal, such as that of a child's end, interrupts the wait.
    while (poll([{ fd: this.#fd, events: PollEvent.in }], patienceMs).length === 0)
      if (performance.now() > deadline) throw new Error('nobody sent anything');
    const connection = acceptCall(undefined, this.#fd, null, null);
    const memory = Buffer.alloc(at.content + mostBytes);
    const base = addressOf(memory);
    memory.writeBigUInt64LE(base + BigInt(at.vector), 16);
    memory.writeBigUInt64LE(1n, 24);
    memory.writeBigUInt64LE(base + BigInt(at.control), 32);
    memory.writeBigUInt64LE(24n, 40);
    memory.writeBigUInt64LE(base + BigInt(at.content), at.vector);
    memory.writeBigUInt64LE(BigInt(mostBytes), at.vector + 8);
    const length = recvmsgCall(undefined, connection, memory, 0x40000000);
    closeSync(connection);
    const text = memory.toString('utf8', at.content, at.content + length);
    return { fd: memory.readInt32LE(at.control + 16), text };
  }

  close(): void {
    closeSync(this.#fd);
  }
}
