/** A container of the store: its state, its process and its cgroup. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cgroup } from '../cgroup/cgroup.ts';
import { writeControl } from '../cgroup/control-file.ts';
import { detectCgroupDriver } from '../cgroup/detect.ts';
import { conflict } from '../errors.ts';
import { withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { openProcess, signalProcess } from '../kernel/process.ts';
import { ociVersion } from '../runtime/default-spec.ts';
import { isSameProcess } from '../runtime/run-directory.ts';
import type { ProcessHandle } from '../runtime/runtime.ts';
import type { ContainerRecord, ContainerStore } from './container-store.ts';

export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

const endPatienceMs = 30_000;
const endPauseMs = 5;

export class Container {
  readonly record: ContainerRecord;
  readonly directory: string;
  readonly #store: ContainerStore;

  constructor(store: ContainerStore, record: ContainerRecord) {
    this.#store = store;
    this.record = record;
    this.directory = store.directoryOf(record.id);
  }

  static open(store: ContainerStore, id: string): Container {
    return new Container(store, store.read(id));
  }

  get id(): string {
    return this.record.id;
  }

  get gatePath(): string {
    return join(this.directory, 'gate');
  }

  get reportsPath(): string {
    return join(this.directory, 'reports');
  }

  status(): Status {
    const { creating } = this.record;
    // A container whose `create` was killed counts as stopped.
    if (creating) return this.#store.isLocked(this.id) ? 'creating' : 'stopped';
    if (!this.isAlive()) return 'stopped';
    if (existsSync(this.gatePath)) return 'created';
    return this.cgroup().isFrozen() ? 'paused' : 'running';
  }

  isAlive(): boolean {
    const { process } = this.record;
    return process !== undefined && isSameProcess(process.pid, BigInt(process.startTime));
  }

  cgroup(): Cgroup {
    const { parent, name } = this.record.cgroup;
    return detectCgroupDriver({ parent }).open(name);
  }

  /** Handle of the process. Throws conflict when it has ended. */
  handle(): ProcessHandle {
    const { process } = this.record;
    if (process === undefined) throw conflict(`container "${this.id}" has no process`);
    return { pid: process.pid, signal: (signal) => this.signal(signal) };
  }

  /** Sends a signal, but never to another process with the same PID. Throws conflict when it has ended. */
  signal(signal: number): void {
    const { process } = this.record;
    try {
      if (process === undefined) throw conflict(`container "${this.id}" has no process`);
      withFd(openProcess(process.pid), (pidfd) => {
        // With the pidfd open, the check below cannot mean another process with the same PID.
        if (!this.isAlive()) throw conflict(`container "${this.id}" is not running`);
        signalProcess(pidfd, signal);
      });
    } catch (error) {
      if (hasErrno(error, 'ESRCH')) throw conflict(`container "${this.id}" is not running`, error);
      throw error;
    }
  }

  /** Sends SIGKILL to all processes, paused or not. Resolves when the process has ended and its cgroup is removed. */
  async end(): Promise<void> {
    const cgroup = this.record.ownsCgroup ? this.cgroup() : undefined;
    cgroup?.kill();
    if (cgroup !== undefined) this.#bringToOwnFreezer(cgroup);
    const deadline = Date.now() + endPatienceMs;
    while (this.isAlive()) {
      if (Date.now() > deadline)
        throw conflict(
          `the process of container "${this.id}" does not end: it waits in the kernel`,
        );
      await sleep(endPauseMs);
    }
    await cgroup?.remove();
  }

  /** On v1 the process may be in another, frozen group, where no signal reaches it; this moves it back. */
  #bringToOwnFreezer(cgroup: Cgroup): void {
    const directory = cgroup.paths.get('freezer');
    const { process } = this.record;
    if (directory === undefined || process === undefined || !this.isAlive()) return;
    try {
      writeControl(directory, 'cgroup.procs', process.pid);
    } catch (error) {
      // The process or its cgroup has ended meanwhile.
      if (!hasErrno(error, 'ESRCH', 'ENOENT')) throw error;
    }
  }

  /** Document of `state` and of hooks (runtime.md, "State"). */
  state(status: Status = this.status(), pid = this.record.process?.pid) {
    const { id, bundle, annotations, rootfs, createdAt } = this.record;
    return {
      ociVersion,
      id,
      status,
      ...(status !== 'stopped' && pid !== undefined ? { pid } : { pid: 0 }),
      bundle,
      rootfs,
      created: createdAt,
      annotations,
    };
  }
}
