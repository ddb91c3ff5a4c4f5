/** A process's output as chunks with back pressure, which keeps flowing when nobody listens. */
import type { Socket } from 'node:net';
import type { OutputChunk } from '../../api/containers/backend.ts';
import type { ProcessStreams } from './process-streams.ts';

/** With more unread bytes than this the pipe is left full, so that the process waits. */
const maxPendingBytes = 256 * 1024;
/**
 * Background processes may hold the pipes open after the process has ended. After this much silence
 * its output is over.
 */
const silenceMs = 100;

export class ProcessOutput implements AsyncIterable<OutputChunk> {
  readonly #sockets: Socket[] = [];
  readonly #pending: OutputChunk[] = [];
  #pendingBytes = 0;
  #open = 0;
  #exited = false;
  #abandoned = false;
  #silence: NodeJS.Timeout | undefined;
  #wake = () => {};

  /** `exited` resolves once the exit code is known; the output ends after that. */
  constructor({ stdout, stderr }: ProcessStreams, exited: Promise<unknown>) {
    this.#add(stdout, 'stdout');
    this.#add(stderr, 'stderr');
    exited.then(() => {
      this.#exited = true;
      this.#watchSilence();
      this.#wake();
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputChunk> {
    try {
      for (;;) {
        const chunk = this.#pending.shift();
        if (chunk !== undefined) {
          this.#pendingBytes -= chunk.data.length;
          if (this.#pendingBytes < maxPendingBytes) this.#flow();
          yield chunk;
        } else if (this.#abandoned || (this.#exited && this.#open === 0)) return;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      this.abandon();
    }
  }

  /** Drops the rest of the output, so that the process does not wait for a reader that left. */
  abandon(): void {
    this.#abandoned = true;
    this.#pending.length = 0;
    this.#flow();
    this.#wake();
  }

  #add(socket: Socket | undefined, stream: OutputChunk['stream']): void {
    if (socket === undefined) return;
    this.#sockets.push(socket);
    this.#open++;
    socket.on('data', (data: Buffer) => {
      if (this.#exited) this.#watchSilence();
      if (this.#abandoned) return;
      this.#pending.push({ stream, data });
      this.#pendingBytes += data.length;
      if (this.#pendingBytes >= maxPendingBytes) for (const each of this.#sockets) each.pause();
      this.#wake();
    });
    socket.on('close', () => {
      this.#open--;
      this.#wake();
    });
  }

  #flow(): void {
    for (const socket of this.#sockets) socket.resume();
    if (this.#exited) this.#watchSilence();
  }

  #watchSilence(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      // A paused stream means that the reader is slow, not that the pipe is silent.
      if (this.#pendingBytes < maxPendingBytes || this.#abandoned)
        for (const socket of this.#sockets) socket.destroy();
    }, silenceMs);
  }
}
