/**
 * Mounted folders that outlive the agent: for each a small process that has the file system's descriptors
 * (shim/folder.c), what the folder is, and a journal of what the kernel knows of it.
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
  /** One set of files a folder. */
  directory: string;
  /** The shim's program. */
  programPath: string;
  /** The longest question of the kernel's. */
  questionBytes: number;
  /** How long callers wait for an agent. */
  patienceMs: number;
}

/** What is known of a mounted folder beside its files. */
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

/** In the keeping process (shim/folder.c). */
const KeeperFd = { device: 3, mount: 4 } as const;
const SIGKILL = 9;
const endingMs = 2000;

/** A name for the files of a folder. */
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

  /** From now on the next agent finds it. The calling thread is the one that serves. */
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

  /** All that an earlier agent left and that still is a file system. `onLost`: it is none any more. */
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
      const deviceFd = take(KeeperFd.device);
      if (!isAlive(deviceFd)) throw new Error('its file system has ended');
      const mountFd = take(KeeperFd.mount);
      const state = readJournal(this.journalOf(facts.share));
      // Never without one: the new one is there before the old one goes.
      this.keep(facts, { deviceFd, mountFd });
      signalProcess(pidfd, SIGKILL);
      awaitEnd(pidfd, endingMs);
      return { ...facts, deviceFd, mountFd, state };
    } catch {
      // Whatever of it is missing: without all of it nobody can serve it.
      for (const fd of taken) closeSync(fd);
      return undefined;
    } finally {
      closeSync(pidfd);
    }
  }

  /** It is unmounted: nothing of it is left. */
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
      // It ended by itself, or somebody else collected it.
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
