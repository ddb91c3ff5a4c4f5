/** A process that only pretends: a few commands that tests need, with stdin, output and an end. */
import { once } from 'node:events';
import { PassThrough, type Writable } from 'node:stream';
import { CortenError } from '../../errors.ts';
import type { OutputChunk } from '../containers/backend.ts';

/** Keeps everything that was written, for logs, and feeds any number of followers. */
export class FakeOutput {
  readonly chunks: { chunk: OutputChunk; time: Date }[] = [];
  readonly #waiting = new Set<() => void>();
  ended = false;

  write(stream: OutputChunk['stream'], text: string | Buffer): void {
    this.chunks.push({ chunk: { stream, data: Buffer.from(text) }, time: new Date() });
    this.#wake();
  }

  end(): void {
    this.ended = true;
    this.#wake();
  }

  async *follow(from: number, closed: () => boolean): AsyncGenerator<OutputChunk> {
    for (let next = from; !closed(); ) {
      const entry = this.chunks[next];
      if (entry !== undefined) {
        next++;
        yield entry.chunk;
      } else if (this.ended) return;
      else await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Lets followers look again, for instance at whether they were closed. */
  nudge(): void {
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

export interface FakeProcess {
  stdin: PassThrough;
  exited: Promise<number>;
  kill(signal: string): void;
}

/** Commands: cat, echo, err (to stderr), exit N, sleep, seq N, yes. Others are not found. */
export function startFakeProcess(
  command: readonly string[],
  output: Pick<FakeOutput, 'write'>,
  openStdin: boolean,
): FakeProcess {
  const [name = '', ...words] = command;
  const run = programs[name];
  if (run === undefined)
    throw new CortenError(
      'invalid',
      `exec: "${name}": executable file not found in $PATH: unknown`,
    );
  const stdin = new PassThrough();
  if (!openStdin) stdin.end();
  let killed: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    killed = resolve;
  });
  return {
    stdin,
    exited: Promise.race([ended, run({ words, stdin, output })]),
    kill: (signal) => killed(128 + (signal === 'SIGKILL' || signal === 'KILL' ? 9 : 15)),
  };
}

interface Running {
  words: readonly string[];
  stdin: PassThrough;
  output: Pick<FakeOutput, 'write'>;
}

const programs: Record<string, (running: Running) => Promise<number>> = {
  cat: async ({ stdin, output }) => {
    stdin.on('data', (data: Buffer) => output.write('stdout', data));
    await once(stdin, 'end');
    return 0;
  },
  /** Says hello only after stdin has ended: what a half-close must allow. */
  after: async ({ stdin, output }) => {
    stdin.resume();
    await once(stdin, 'end');
    output.write('stdout', 'after the end\n');
    return 0;
  },
  echo: async ({ words, output }) => {
    output.write('stdout', `${words.join(' ')}\n`);
    return 0;
  },
  err: async ({ words, output }) => {
    output.write('stderr', `${words.join(' ')}\n`);
    return 0;
  },
  exit: async ({ words }) => Number(words[0] ?? 0),
  seq: async ({ words, output }) => {
    for (let i = 1; i <= Number(words[0]); i++) output.write('stdout', `${i}\n`);
    return 0;
  },
  sleep: () => new Promise<number>(() => undefined),
};

export function ignoreErrors(stream: Writable): Writable {
  return stream.on('error', () => undefined);
}
