/** Starts the shim, and listens to it. */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { O_CLOEXEC, openDirectory } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { sealedFile } from '../kernel/memfd.ts';
import { makeConnection, mostPassed, passDescriptors } from '../kernel/pass-descriptors.ts';
import { spawn } from '../kernel/process.ts';
import { encodePlan, encodeRest, type ShimConfig, ShimFd, type Step } from './plan.ts';
import { reapInBackground } from './reap.ts';

/** Its room is for the name of what it will be the parent of. */
const warmShimName = '--warm'.padEnd(64, '-');
/** As with the launcher's warm: once the one that was just started has its processor to itself no longer. */
const warmShimDelayMs = 30;

/** Where steps get the numbers of their descriptors from. */
export interface DescriptorTable {
  /** Returns the number that `fd` will have in the shim. */
  add(fd: number): number;
}

/** Builds the shim's descriptor table while the plan is made. */
export class ShimDescriptors implements DescriptorTable {
  readonly #fds: number[];

  /** `nullFd` fills the numbers that the shim has no use for. */
  constructor(nullFd: number, procFd: number) {
    this.#fds = new Array<number>(ShimFd.firstFree).fill(nullFd);
    this.#fds[ShimFd.proc] = procFd;
  }

  set(number: number, fd: number): void {
    this.#fds[number] = fd;
  }

  add(fd: number): number {
    return this.#fds.push(fd) - 1;
  }

  get all(): readonly number[] {
    return this.#fds;
  }
}

/** Those that come with the rest of a plan, which is the first of them (the `rest` step). */
export class RestDescriptors implements DescriptorTable {
  readonly #first: number;
  readonly #fds: number[] = [];

  /** `used`: those of the plan's first part. */
  constructor(used: ShimDescriptors) {
    this.#first = used.all.length;
  }

  add(fd: number): number {
    return this.#first + this.#fds.push(fd);
  }

  /** Throws EPIPE when neither the shim nor its child is there. */
  send(socketFd: number, planFd: number): void {
    passDescriptors(socketFd, '.', [planFd, ...this.#fds]);
  }
}

/** The caller closes it. */
export function restFile(steps: readonly Step[]): number {
  return sealedFile('corten-plan', encodeRest(steps));
}

export interface StartedShim {
  shimPid: number;
  /** It may have been killed just when it was given its work, which then nobody has begun. */
  wasWarm: boolean;
}

interface ShimWork {
  descriptors: ShimDescriptors;
  shimConfig: ShimConfig;
  steps: readonly Step[];
}

/**
 * Keeps what every shim needs open: its sealed program, /dev/null and procfs. And, where many are
 * started one after the other, a shim that waits for its work: starting a program takes longer than
 * handing it what it needs, and the whole agent stands still until the new process has executed it.
 */
export class ShimStarter {
  /** The sealed program, which makes a container's own namespaces too (user-namespace.ts). */
  readonly programFd: number;
  readonly #nullFd: number;
  readonly #procFd: number;
  #keepsWarmShim: boolean;
  #warmShim: { pid: number; fd: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(shimPath: string, procFd: number, { keepsWarmShim = false } = {}) {
    this.#keepsWarmShim = keepsWarmShim;
    // The program is run from a sealed copy in memory, which no container can write to through
    // /proc/<pid>/exe (CVE-2019-5736).
    this.programFd = sealedFile('corten-shim', readFileSync(shimPath));
    this.#nullFd = openSync('/dev/null', constants.O_RDWR | O_CLOEXEC);
    this.#procFd = procFd;
  }

  /** Whether a start would find one that was started ahead. */
  get hasWarmShim(): boolean {
    return this.#warmShim !== undefined;
  }

  descriptors(): ShimDescriptors {
    return new ShimDescriptors(this.#nullFd, this.#procFd);
  }

  /** Its own ends of everything stay the caller's to close. `fresh`: not one that was started ahead. */
  start(
    runDirectory: string,
    aliveFd: number,
    { descriptors, shimConfig, steps }: ShimWork,
    fresh = false,
  ): StartedShim {
    // Not while somebody waits for this one.
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const plan = sealedFile('corten-plan', encodePlan(shimConfig, steps));
    const run = openDirectory(runDirectory);
    try {
      descriptors.set(ShimFd.plan, plan);
      descriptors.set(ShimFd.runDirectory, run);
      descriptors.set(ShimFd.alive, aliveFd);
      const name = basename(runDirectory);
      const warm = fresh ? undefined : this.#giveToWarmShim(name, descriptors.all);
      if (warm !== undefined) return { shimPid: warm, wasWarm: true };
      const shimPid = spawn(this.programFd, ['corten-shim', name], descriptors.all);
      return { shimPid, wasWarm: false };
    } finally {
      closeSync(plan);
      closeSync(run);
    }
  }

  /** Undefined when there is none that could take it. */
  #giveToWarmShim(name: string, descriptors: readonly number[]): number | undefined {
    const warm = this.#warmShim;
    const fds = descriptors.slice(ShimFd.plan);
    if (warm === undefined || fds.length > mostPassed || name.length > warmShimName.length)
      return undefined;
    this.#warmShim = undefined;
    try {
      passDescriptors(warm.fd, name, fds);
      return warm.pid;
    } catch (error) {
      if (!hasErrno(error, 'EPIPE', 'ECONNRESET')) throw error;
      // Somebody has killed it.
      reapInBackground(warm.pid);
      return undefined;
    } finally {
      closeSync(warm.fd);
    }
  }

  /** When a start is over: the whole agent stands still while a new process comes to execute its program. */
  startWarmShimSoon(): void {
    if (!this.#keepsWarmShim || this.#warmShim !== undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#startWarmShim();
    }, warmShimDelayMs).unref();
  }

  #startWarmShim(): void {
    const { ourFd, theirFd } = makeConnection();
    try {
      const table = [this.#nullFd, this.#nullFd, this.#nullFd, theirFd];
      this.#warmShim = {
        pid: spawn(this.programFd, ['corten-shim', warmShimName], table),
        fd: ourFd,
      };
    } catch {
      // No memory, or no process: the next start says so, if it is still the case.
      closeSync(ourFd);
    } finally {
      closeSync(theirFd);
    }
  }

  close(): void {
    // A start may end after this.
    this.#keepsWarmShim = false;
    clearTimeout(this.#timer);
    if (this.#warmShim !== undefined) {
      // Which ends it.
      closeSync(this.#warmShim.fd);
      reapInBackground(this.#warmShim.pid);
    }
    closeSync(this.programFd);
    closeSync(this.#nullFd);
  }
}
