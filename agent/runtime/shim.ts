/** Starts the shim, and listens to it. */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename } from 'node:path';
import { O_CLOEXEC, openDirectory } from '../kernel/files.ts';
import { sealedFile } from '../kernel/memfd.ts';
import { spawn } from '../kernel/process.ts';
import { encodePlan, type ShimDuties, ShimFd, type Step } from './plan.ts';

/** Builds the shim's descriptor table while the plan is made. */
export class ShimDescriptors {
  readonly #fds: number[];

  /** `nullFd` fills the numbers that the shim has no use for. */
  constructor(nullFd: number, procFd: number) {
    this.#fds = new Array<number>(ShimFd.firstFree).fill(nullFd);
    this.#fds[ShimFd.proc] = procFd;
  }

  set(number: number, fd: number): void {
    this.#fds[number] = fd;
  }

  /** Returns the number that `fd` will have in the shim. */
  add(fd: number): number {
    return this.#fds.push(fd) - 1;
  }

  get all(): readonly number[] {
    return this.#fds;
  }
}

interface ShimWork {
  descriptors: ShimDescriptors;
  duties: ShimDuties;
  steps: readonly Step[];
}

/** Keeps what every shim needs open: its sealed program, /dev/null and procfs. */
export class ShimStarter {
  /** The sealed program, which makes a container's own namespaces too (user-namespace.ts). */
  readonly programFd: number;
  readonly #nullFd: number;
  readonly #procFd: number;

  constructor(shimPath: string, procFd: number) {
    // The program is run from a sealed copy in memory, which no container can write to through
    // /proc/<pid>/exe (CVE-2019-5736).
    this.programFd = sealedFile('corten-shim', readFileSync(shimPath));
    this.#nullFd = openSync('/dev/null', constants.O_RDWR | O_CLOEXEC);
    this.#procFd = procFd;
  }

  descriptors(): ShimDescriptors {
    return new ShimDescriptors(this.#nullFd, this.#procFd);
  }

  /** Returns the shim's pid. Its own ends of everything stay the caller's to close. */
  start(runDirectory: string, aliveFd: number, { descriptors, duties, steps }: ShimWork): number {
    const plan = sealedFile('corten-plan', encodePlan(duties, steps));
    const run = openDirectory(runDirectory);
    try {
      descriptors.set(ShimFd.plan, plan);
      descriptors.set(ShimFd.runDirectory, run);
      descriptors.set(ShimFd.alive, aliveFd);
      const args = ['corten-shim', basename(runDirectory)];
      return spawn(this.programFd, args, descriptors.all);
    } finally {
      closeSync(plan);
      closeSync(run);
    }
  }

  close(): void {
    closeSync(this.programFd);
    closeSync(this.#nullFd);
  }
}

export type ShimReport =
  | { kind: 'started'; childPid: number }
  /** `step` counts from 1; 0 is the shim itself. */
  | { kind: 'failed'; step: number; errno: number };

/** The read end of an `alive` FIFO: the report on the start, and then the end. */
export class AliveWatch {
  readonly #socket: Socket;
  /** The child waits at a gate; undefined when it never came to one. */
  readonly waiting: Promise<number | undefined>;
  readonly report: Promise<ShimReport | undefined>;
  readonly ended: Promise<void>;

  /** Takes the descriptor over. */
  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: true, writable: false });
    let received: Buffer = Buffer.alloc(0);
    const waiting = Promise.withResolvers<number | undefined>();
    const report = Promise.withResolvers<ShimReport | undefined>();
    const ended = Promise.withResolvers<void>();
    this.#socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= reportBytes) {
        if (received.readUInt32LE(0) === waitingKind) waiting.resolve(received.readUInt32LE(4));
        else report.resolve(parseReport(received));
        received = received.subarray(reportBytes);
      }
    });
    this.#socket.on('end', () => {
      waiting.resolve(undefined);
      report.resolve(undefined);
      ended.resolve();
    });
    this.waiting = waiting.promise;
    this.report = report.promise;
    void report.promise.then(() => waiting.resolve(undefined));
    this.ended = ended.promise;
  }

  /** Stops watching; `ended` then never resolves, since nothing is known of the shim's end. */
  close(): void {
    this.#socket.destroy();
  }
}

const reportBytes = 12;
const startedKind = 1;
const waitingKind = 3;

function parseReport(bytes: Buffer): ShimReport {
  if (bytes.readUInt32LE(0) === startedKind)
    return { kind: 'started', childPid: bytes.readUInt32LE(4) };
  return { kind: 'failed', step: bytes.readUInt32LE(4), errno: bytes.readUInt32LE(8) };
}
