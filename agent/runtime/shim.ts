/** Starts shims, cold or warm. */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { O_CLOEXEC, openDirectory } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { sealedFile } from '../kernel/memfd.ts';
import { makeConnection, maxPassed, passDescriptors } from '../kernel/pass-descriptors.ts';
import { spawn } from '../kernel/process.ts';
import { encodePlan, encodeRest, type ShimConfig, ShimFd, type Step } from './plan.ts';
import { reapInBackground } from './reap.ts';

/** The padding leaves space for the name of the container in the process list. */
const warmShimName = '--warm'.padEnd(64, '-');
/** The delay lets the process that was just started use the CPU first. */
const warmShimDelayMs = 30;

/** Assigns numbers to the descriptors of steps. */
export interface DescriptorTable {
  /** Returns the number of `fd` in the shim. */
  add(fd: number): number;
}

/** Builds the shim's descriptor table while the plan is made. */
export class ShimDescriptors implements DescriptorTable {
  readonly #fds: number[];

  /** `nullFd` fills unused numbers. */
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

/**
 * Descriptors sent together with the rest of a plan, which is the first of them (the `rest` step).
 */
export class RestDescriptors implements DescriptorTable {
  readonly #first: number;
  readonly #fds: number[] = [];

  /** `used` are the descriptors of the first part. */
  constructor(used: ShimDescriptors) {
    this.#first = used.all.length;
  }

  add(fd: number): number {
    return this.#first + this.#fds.push(fd);
  }

  /** Throws EPIPE when the shim and its child have ended. */
  send(socketFd: number, planFd: number): void {
    passDescriptors(socketFd, '.', [planFd, ...this.#fds]);
  }
}

/** The caller closes the descriptor. */
export function restFile(steps: readonly Step[]): number {
  return sealedFile('corten-plan', encodeRest(steps));
}

export interface StartedShim {
  shimPid: number;
  /**
   * A warm shim may have been killed just before it received its plan, so that nothing has begun.
   */
  wasWarm: boolean;
}

interface ShimWork {
  descriptors: ShimDescriptors;
  shimConfig: ShimConfig;
  steps: readonly Step[];
}

/**
 * Holds what every shim needs: its sealed program, /dev/null and procfs. It also keeps one warm
 * shim, because executing a program takes longer than passing descriptors, and the whole agent is
 * blocked until the new process has executed it (vfork(2)).
 */
export class ShimStarter {
  /** The sealed program, which also makes a container's owned namespaces (user-namespace.ts). */
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

  /** Whether a warm shim is ready. */
  get hasWarmShim(): boolean {
    return this.#warmShim !== undefined;
  }

  descriptors(): ShimDescriptors {
    return new ShimDescriptors(this.#nullFd, this.#procFd);
  }

  /**
   * The caller keeps and closes its ends of all descriptors. `fresh` starts a new shim instead of
   * the warm one.
   */
  start(
    runDirectory: string,
    aliveFd: number,
    { descriptors, shimConfig, steps }: ShimWork,
    fresh = false,
  ): StartedShim {
    // A new warm shim is not started while somebody waits for this one.
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

  /** Returns undefined when no warm shim can take the plan. */
  #giveToWarmShim(name: string, descriptors: readonly number[]): number | undefined {
    const warm = this.#warmShim;
    const fds = descriptors.slice(ShimFd.plan);
    if (warm === undefined || fds.length > maxPassed || name.length > warmShimName.length)
      return undefined;
    this.#warmShim = undefined;
    try {
      passDescriptors(warm.fd, name, fds);
      return warm.pid;
    } catch (error) {
      if (!hasErrno(error, 'EPIPE', 'ECONNRESET')) throw error;
      // Somebody has killed the warm shim.
      reapInBackground(warm.pid);
      return undefined;
    } finally {
      closeSync(warm.fd);
    }
  }

  /**
   * Called after a start, because spawning blocks the whole agent until the program is executed.
   */
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
      // No memory or no process is left; the next start reports it if that still holds.
      closeSync(ourFd);
    } finally {
      closeSync(theirFd);
    }
  }

  close(): void {
    // A start may end after the close.
    this.#keepsWarmShim = false;
    clearTimeout(this.#timer);
    if (this.#warmShim !== undefined) {
      // Closing its socket ends the warm shim.
      closeSync(this.#warmShim.fd);
      reapInBackground(this.#warmShim.pid);
    }
    closeSync(this.programFd);
    closeSync(this.#nullFd);
  }
}
