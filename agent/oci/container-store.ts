/**
 * The containers below `--root`: one directory each. `state.json` says what was made, `config.json`
 * is the bundle's as it was then, `lock` is held by whoever changes something, `gate` and `reports`
 * are FIFOs between `start` and the container's process; `gate` is there until it was started.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, invalid, notFound } from '../errors.ts';
import { lockFile } from '../kernel/file-lock.ts';
import { makeFifo } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import type { CgroupPlace } from './cgroup-path.ts';
import type { RdtPlace } from './intel-rdt.ts';

export interface ContainerRecord {
  id: string;
  bundle: string;
  rootfs: string;
  /** ISO 8601. */
  createdAt: string;
  annotations: Record<string, string>;
  cgroup: CgroupPlace;
  /** Whether `create` made that group: callers may name one in which somebody else runs. */
  ownsCgroup: boolean;
  /** The container's process, once there is one; its start time in clock ticks, as text. */
  process?: { pid: number; startTime: string };
  /** While `create` is under way. */
  creating: boolean;
  /** Inside, for hooks: the pid that the process sees of itself. */
  pidInside?: number;
  hasProcess: boolean;
  /** Its class of Intel RDT. */
  rdt?: RdtPlace;
  /** Its processes stay in their caller's session keyring. */
  keepsKeyring?: boolean;
}

const lockPatienceMs = 30_000;
const lockPauseMs = 20;

export class ContainerStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  directoryOf(id: string): string {
    checkId(id);
    return join(this.#root, id);
  }

  /** Makes the directory, and takes its lock. Throws conflict when the id is in use. */
  async make(record: ContainerRecord, configText: string): Promise<Lock> {
    const directory = this.directoryOf(record.id);
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    try {
      mkdirSync(directory, { mode: 0o700 });
    } catch (error) {
      if (hasErrno(error, 'EEXIST'))
        throw conflict(`container with id ${record.id} exists already; delete it first`, error);
      throw error;
    }
    const lock = await this.lock(record.id);
    this.save(record);
    writeFileSync(join(directory, 'config.json'), configText, { mode: 0o600 });
    for (const name of ['gate', 'reports']) makeFifo(join(directory, name), 0o600);
    return lock;
  }

  save(record: ContainerRecord): void {
    const file = join(this.directoryOf(record.id), 'state.json');
    writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  /** Throws not-found. */
  read(id: string): ContainerRecord {
    const file = join(this.directoryOf(id), 'state.json');
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as ContainerRecord;
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR'))
        throw notFound(`container "${id}" does not exist`, error);
      throw error;
    }
  }

  configText(id: string): string {
    return readFileSync(join(this.directoryOf(id), 'config.json'), 'utf8');
  }

  list(): string[] {
    try {
      return readdirSync(this.#root).filter((id) => existsSync(join(this.#root, id, 'state.json')));
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  /** Waits for another command that works on the container. */
  async lock(id: string): Promise<Lock> {
    const deadline = Date.now() + lockPatienceMs;
    for (;;) {
      const fd = this.#tryLock(id);
      if (fd !== undefined) return new Lock(fd);
      if (Date.now() > deadline)
        throw conflict(`another command has been working on container "${id}" for too long`);
      await sleep(lockPauseMs);
    }
  }

  isLocked(id: string): boolean {
    const fd = this.#tryLock(id);
    if (fd !== undefined) closeSync(fd);
    return fd === undefined;
  }

  remove(id: string): void {
    rmSync(this.directoryOf(id), { recursive: true, force: true });
  }

  #tryLock(id: string): number | undefined {
    try {
      return lockFile(join(this.directoryOf(id), 'lock'));
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR'))
        throw notFound(`container "${id}" does not exist`, error);
      throw error;
    }
  }
}

/** Ends with the process that holds it, at the latest. */
export class Lock {
  #fd: number | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function checkId(id: string): void {
  const [wrong] = /[^A-Za-z0-9_+.-]/u.exec(id) ?? [];
  if (wrong !== undefined)
    throw invalid(
      `"${id}" is no container id: invalid character \`${wrong}\` in the ID; use letters, digits, _ + - and .`,
    );
  if (!/^[A-Za-z0-9_+.-]{1,200}$/.test(id) || id === '.' || id === '..')
    throw invalid(`"${id}" is no container id: use letters, digits, _ + - and .`);
}
