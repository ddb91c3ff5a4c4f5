/**
 * Mounted folders that outlive the agent. For each there is a small process with the file system's descriptors
 * (shim/folder.c), a description of the folder, and a journal of what the kernel knows of it.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../kernel/libc.ts';
import { sealedFile } from '../kernel/memfd.ts';
import { PollEvent, poll } from '../kernel/poll.ts';
import {
  awaitEnd,
  openProcess,
  signalProcess,
  spawn,
  takeDescriptor,
  threadId,
  waitForChild,
} from '../kernel/process.ts';
import { findRecordedProcess, recordProcess } from '../kernel/recorded-process.ts';
import { type KeptState, readJournal } from './journal.ts';

export interface KeptMountsOptions {
  /** Directory with the files of each folder. */
  directory: string;
  /** Path of the shim's program. */
  programPath: string;
  /** Size of the kernel's longest request. */
  questionBytes: number;
  /** How long callers wait for an agent. */
  patienceMs: number;
}

/** Description of a mounted folder besides its files. */
export interface MountFacts {
  share: string;
  mount: string;
  mountPath: string;
}

interface MountFds {
  deviceFd: number;
  mountFd: number;
}

export interface TakenMount extends MountFacts, MountFds {
  state: KeptState;
}

/** Descriptor numbers in the process of shim/folder.c. */
const HolderFd = { device: 3, mount: 4 } as const;
const SIGKILL = 9;
const endingMs = 2000;

/** Name for the files of a folder. */
export const fileNameOf = (share: string) =>
  createHash('sha256').update(share).digest('hex').slice(0, 32);

export class KeptMounts {
  readonly #options: KeptMountsOptions;
  readonly #programFd: number;
  readonly #nullFd: number;
  readonly #children = new Set<number>();

  constructor(options: KeptMountsOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#programFd = sealedFile('corten-folder', readFileSync(options.programPath));
    this.#nullFd = openSync('/dev/null', constants.O_RDWR);
  }

  journalOf(share: string): string {
    return this.#path(share, 'journal');
  }

  /** Makes a mount survive this agent. The calling thread must be the one that serves it. */
  keep({ share, mount, mountPath }: MountFacts, { deviceFd, mountFd }: MountFds): void {
    const facts = this.#path(share, 'json');
    writeFileSync(`${facts}.new`, JSON.stringify({ share, mount, mountPath }), { mode: 0o600 });
    renameSync(`${facts}.new`, facts);
    const { questionBytes, patienceMs } = this.#options;
    const pid = spawn(
      this.#programFd,
      ['corten-folder', ...[process.pid, threadId(), questionBytes, patienceMs].map(String)],
      [this.#nullFd, this.#nullFd, this.#nullFd, deviceFd, mountFd],
    );
    this.#children.add(pid);
    recordProcess(this.#path(share, 'process'), pid);
  }

  /** Takes over all mounts of an earlier agent that still work. `onLost` gets the others. */
  takeAll(onLost: (facts: MountFacts) => void): TakenMount[] {
    return readdirSync(this.#options.directory)
      .filter((name) => name.endsWith('.json'))
      .flatMap((name) => {
        const text = readFileSync(join(this.#options.directory, name), 'utf8');
        const facts = JSON.parse(text) as MountFacts;
        const taken = this.#take(facts);
        if (taken !== undefined) return [taken];
        this.end(facts.share);
        onLost(facts);
        return [];
      });
  }

  #take(facts: MountFacts): TakenMount | undefined {
    const record = this.#path(facts.share, 'process');
    const pid = findRecordedProcess(record);
    if (pid === undefined) return undefined;
    const pidfd = openProcess(pid);
    const taken: number[] = [];
    const take = (fd: number) => {
      const own = takeDescriptor(pidfd, fd);
      taken.push(own);
      return own;
    };
    try {
      const deviceFd = take(HolderFd.device);
      if (!isAlive(deviceFd)) throw new Error('its file system has ended');
      const mountFd = take(HolderFd.mount);
      const state = readJournal(this.journalOf(facts.share));
      // The new process exists before the old one ends, so that there is always one.
      this.keep(facts, { deviceFd, mountFd });
      signalProcess(pidfd, SIGKILL);
      awaitEnd(pidfd, endingMs);
      return { ...facts, deviceFd, mountFd, state };
    } catch {
      // Without all of its parts nobody can serve it.
      for (const fd of taken) closeSync(fd);
      return undefined;
    } finally {
      closeSync(pidfd);
    }
  }

  /** Removes everything of an unmounted folder. */
  end(share: string): void {
    const record = this.#path(share, 'process');
    const pid = findRecordedProcess(record);
    if (pid !== undefined) this.#kill(pid);
    for (const kind of ['process', 'json', 'journal'])
      rmSync(this.#path(share, kind), { force: true });
  }

  close(): void {
    closeSync(this.#programFd);
    closeSync(this.#nullFd);
  }

  #kill(pid: number): void {
    try {
      const pidfd = openProcess(pid);
      signalProcess(pidfd, SIGKILL);
      awaitEnd(pidfd, endingMs);
      closeSync(pidfd);
      if (this.#children.delete(pid)) waitForChild(pid);
    } catch (error) {
      // The process has ended already or was reaped elsewhere.
      if (!hasErrno(error, 'ESRCH', 'ECHILD')) throw error;
    }
  }

  #path = (share: string, kind: string) =>
    join(this.#options.directory, `${fileNameOf(share)}.${kind}`);
}

function isAlive(deviceFd: number): boolean {
  const [ready] = poll([{ fd: deviceFd, events: PollEvent.in }], 0);
  return ready === undefined || (ready.events & PollEvent.error) === 0;
}
