/**
 * What clients type, on its way to a process. It outlives the clients that are attached, several of
 * which may write at once.
 */
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';

export class ProcessInput {
  readonly #stream: Socket;
  readonly #onEnd: (() => void) | undefined;

  /** `onEnd` makes the process see end of file; a terminal has none: its users type Ctrl-D. */
  constructor(stream: Socket, onEnd: (() => void) | undefined) {
    this.#stream = stream;
    this.#onEnd = onEnd;
  }

  /** Calls back once the kernel took it all: that is the back pressure on the client. */
  write(data: Buffer, taken: () => void): void {
    // Nobody reads any more: what is left is dropped, as the other end of a broken pipe has it.
    if (!this.#stream.writable) taken();
    else this.#stream.write(data, () => taken());
  }

  /** End of file for the process, after everything that was written before. */
  end(): void {
    if (this.#onEnd === undefined) return;
    if (this.#stream.writable) this.#stream.end(this.#onEnd);
    else this.#onEnd();
  }

  close(): void {
    this.#stream.destroy();
  }
}

/**
 * One client's writable onto an input that may come later, when the container starts. Ending it is
 * the half-close, which reaches the process when `endsInput` says so.
 */
export function inputRelay(
  input: Promise<ProcessInput | undefined>,
  { endsInput }: { endsInput: boolean },
): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      input.then((target) => (target === undefined ? done() : target.write(chunk, () => done())));
    },
    final(done) {
      if (!endsInput) return done();
      input.then((target) => {
        target?.end();
        done();
      });
    },
  });
}
