/**
 * Containers below `--root`, with a directory each. `state.json` describes what was created, `config.json` is a copy
 * of the bundle's, `lock` is held during changes, `gate` and `reports` are FIFOs between `start` and the container's
 * process; `gate` exists until the start.
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
  /** Time in ISO 8601. */
  createdAt: string;
  annotations: Record<string, string>;
  cgroup: CgroupPlace;
  /** Whether `create` made the cgroup: a caller may name an existing one with other processes. */
  ownsCgroup: boolean;
  /** The container's process, if any; its start time is in clock ticks, as text. */
  process?: { pid: number; startTime: string };
  /** True while `create` runs. */
  creating: boolean;
  /** PID of the process in its own PID namespace, for hooks. */
  pidInside?: number;
  hasProcess: boolean;
  /** Its Intel RDT class of service. */
  rdt?: RdtPlace;
  /** Whether its processes keep their caller's session keyring. */
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

  /** Creates the directory and takes its lock. Throws conflict when the ID is in use. */
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

  /** Waits for another command that uses the container. Throws conflict after a timeout. */
  async lock(id: string): Promise<Lock> {
    const deadline = Date.now() + lockPatienceMs;
    for (;;) {
      const fd = this.#tryLock(id);
      if (fd !== undefined) return new Lock(fd);
      if (Date.now() > deadline)
        throw conflict(`another command has locked container "${id}" for too long`);
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

/** A lock, which ends at the latest with the process that holds it. */
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
