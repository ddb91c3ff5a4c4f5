/** Reads the reports that a shim writes to its `alive` FIFO (run-directory.ts). */
import { Socket } from 'node:net';
import type { ExitRecord } from './runtime.ts';

export type ShimReport =
  | { kind: 'started'; childPid: number }
  /** `step` counts from 1; 0 means the shim itself. */
  | { kind: 'failed'; step: number; errno: number };

/** The read end of an `alive` FIFO. It yields the report on the start and later the exit. */
export class AliveWatch {
  readonly #socket: Socket;
  readonly #waiting = new Waits();
  readonly report: Promise<ShimReport | undefined>;
  /** How the child ended. Undefined when the shim ended without reporting it. */
  readonly exit: Promise<ExitRecord | undefined>;
  /** Resolves when the shim writes nothing more to the run directory. */
  readonly ended: Promise<void>;

  /** Takes ownership of `fd`. */
  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: true, writable: false });
    let received: Buffer = Buffer.alloc(0);
    const report = Promise.withResolvers<ShimReport | undefined>();
    const exit = Promise.withResolvers<ExitRecord | undefined>();
    const ended = Promise.withResolvers<void>();
    this.#socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= reportBytes) {
        const kind = received.readUInt8(0);
        if (kind === waitingKind)
          this.#waiting.add({ pid: received.readUInt32LE(4), word: received.readUInt32LE(8) });
        else if (kind === endedKind) exit.resolve(parseExit(received));
        else report.resolve(parseReport(received));
        received = received.subarray(reportBytes);
      }
    });
    this.#socket.on('end', () => {
      report.resolve(undefined);
      exit.resolve(undefined);
      ended.resolve();
    });
    this.report = report.promise;
    this.exit = exit.promise;
    void report.promise.then(() => this.#waiting.end());
    this.ended = ended.promise;
  }

  /**
   * Resolves when the child waits at its next gate, or with undefined when it will pass no more
   * gates.
   */
  nextWaiting(): Promise<Waiting | undefined> {
    return this.#waiting.next();
  }

  /**
   * Stops watching. `exit` and `ended` then never resolve, since nothing more is known about the
   * shim.
   */
  close(): void {
    this.#socket.destroy();
  }
}

/** The report of a child that waits at a gate. `word` depends on the gate. */
export interface Waiting {
  pid: number;
  word: number;
}

class Waits {
  readonly #all: Waiting[] = [];
  #isOver = false;
  #wake: (() => void) | undefined;

  add(one: Waiting): void {
    this.#all.push(one);
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  async next(): Promise<Waiting | undefined> {
    if (this.#all.length === 0 && !this.#isOver)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#all.shift();
  }
}

const reportBytes = 12;
const startedKind = 1;
const waitingKind = 3;
const endedKind = 5;

function parseReport(bytes: Buffer): ShimReport {
  if (bytes.readUInt32LE(0) === startedKind)
    return { kind: 'started', childPid: bytes.readUInt32LE(4) };
  return { kind: 'failed', step: bytes.readUInt32LE(4), errno: bytes.readUInt32LE(8) };
}

/** REPORT_ENDED of agent/shim/shim.h. */
function parseExit(bytes: Buffer): ExitRecord {
  const signal = bytes.readUInt8(2);
  const nanoseconds = bytes.readBigUInt64LE(4);
  return {
    exitCode: bytes.readUInt8(1),
    signal: signal === 0 ? undefined : signal,
    finishedAt: new Date(Number(nanoseconds / 1_000_000n)),
  };
}
