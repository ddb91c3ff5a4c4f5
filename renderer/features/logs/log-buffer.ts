/**
 * The last lines of a log, up to a bound. Lines lie in chunks; when there are too many, the oldest
 * chunk goes as a whole, so that dropping costs nothing per line. Line numbers never change:
 * the first line that came is 0, and `first` says which is the oldest still here.
 */
import { plain, type Style } from './ansi.ts';

export interface LogLine {
  text: string;
  /** RFC 3339 with nanoseconds, as the engine sent it. */
  time: string;
  stderr: boolean;
  /** Style that an earlier line left on. */
  start: Style;
}

const chunkLines = 4096;

export class LogBuffer {
  #chunks: LogLine[][] = [];
  #dropped = 0;
  #count = 0;
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = Math.max(chunkLines, capacity);
  }

  /** Number of the oldest line that is here. */
  get first(): number {
    return this.#dropped;
  }

  /** Number that the next line will have. */
  get end(): number {
    return this.#dropped + this.#count;
  }

  push(line: LogLine): void {
    let last = this.#chunks.at(-1);
    if (!last || last.length === chunkLines) {
      last = [];
      this.#chunks.push(last);
    }
    last.push(line);
    this.#count += 1;
    if (this.#count > this.#capacity) this.#dropChunk();
  }

  at(number: number): LogLine | undefined {
    const index = number - this.#dropped;
    if (index < 0 || index >= this.#count) return undefined;
    return this.#chunks[Math.floor(index / chunkLines)]?.[index % chunkLines];
  }

  /** Forgets what is here; numbers go on. */
  clear(): void {
    this.#dropped = this.end;
    this.#chunks = [];
    this.#count = 0;
  }

  #dropChunk(): void {
    const gone = this.#chunks.shift();
    this.#dropped += gone?.length ?? 0;
    this.#count -= gone?.length ?? 0;
  }
}

export function line(text: string, time = '', stderr = false): LogLine {
  return { text, time, stderr, start: plain };
}
