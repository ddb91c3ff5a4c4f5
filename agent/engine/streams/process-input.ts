/**
 * Input from clients to a process. It outlives the attached clients, several of which may write at
 * once.
 */
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';

export class ProcessInput {
  readonly #stream: Socket;
  readonly #onEnd: (() => void) | undefined;

  /**
   * `onEnd` makes the process see end of file. A terminal has none, because its users type Ctrl-D.
   */
  constructor(stream: Socket, onEnd: (() => void) | undefined) {
    this.#stream = stream;
    this.#onEnd = onEnd;
  }

  /** Calls `taken` once the kernel took all bytes, which gives the client back pressure. */
  write(data: Buffer, taken: () => void): void {
    // The process has closed its stdin, so the rest is dropped as with a broken pipe.
    if (!this.#stream.writable) taken();
    else this.#stream.write(data, () => taken());
  }

  /** Sends end of file to the process after everything that was written before. */
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
 * A client's writable for an input that may exist only later, when the container starts. Its end
 * reaches the process only with `endsInput`.
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
