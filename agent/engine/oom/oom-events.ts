/**
 * Joins the cgroup's count of OOM kills with the kernel's log, which names the killed process a moment later or
 * never; then the kill is told without a name, with the reason.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LimitEvent } from '../../contract/pressure.ts';
import type { KernelRecord } from '../../kernel/kernel-log.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { KernelOomRecords } from './kernel-oom-records.ts';

/** The kernel's log, as kernel/kernel-log.ts reads it. */
export interface RecordSource {
  records(): AsyncIterable<KernelRecord>;
  close(): void;
}

interface Counted {
  atMs: number;
  kills: number;
}

/** Far longer than the kernel takes from the kill to its line. */
const patienceMs = 2000;
/** Processes named for one count: a group with memory.oom.group may lose thousands. */
const mostNamed = 8;

export class OomEvents {
  readonly #source: RecordSource;
  readonly #records = new KernelOomRecords();
  readonly #tell: (containerId: string, event: LimitEvent) => void;
  readonly #pending = new Map<string, Counted>();
  readonly #report: (error: unknown) => void;
  /** Why the last reading failed; `forGood` where the log is closed to us. */
  #unreadable: { why: string; forGood: boolean } | undefined;
  #reading: Promise<void> | undefined;

  /** `report` hears of a log that breaks, once until it has been read again. */
  constructor(
    source: RecordSource,
    tell: (containerId: string, event: LimitEvent) => void,
    report: (error: unknown) => void,
  ) {
    this.#source = source;
    this.#tell = tell;
    this.#report = report;
  }

  get pending(): boolean {
    return this.#pending.size > 0;
  }

  /** Adds kills that the cgroup counted, to be named by {@link settle}. */
  count(containerId: string, kills: number, atMs: number): void {
    const before = this.#pending.get(containerId);
    this.#pending.set(containerId, { atMs, kills: kills + (before?.kills ?? 0) });
  }

  /** Tells the kills whose names are known, and those that have waited long enough. */
  async settle(): Promise<void> {
    if (!this.pending) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
    for (const [id, counted] of this.#pending) this.#settleOne(id, counted);
  }

  /** Waits until every kill of one container was told: its cgroup's name is soon gone. */
  async settleAll(containerId: string): Promise<void> {
    for (let pauseMs = 1; this.#pending.has(containerId); pauseMs *= 2) {
      await this.settle();
      if (this.#pending.has(containerId)) await sleep(pauseMs);
    }
  }

  close(): void {
    this.#source.close();
  }

  async #read(): Promise<void> {
    try {
      for await (const record of this.#source.records()) this.#records.add(record);
      this.#unreadable = undefined;
    } catch (error) {
      const forGood = hasErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'ENODEV', 'ENXIO');
      // It is read each second while a kill waits for its name.
      if (!forGood && this.#unreadable === undefined) this.#report(error);
      this.#unreadable = {
        why: `the kernel's log cannot be read: ${(error as Error).message}`,
        forGood,
      };
      this.#source.close();
    }
  }

  #settleOne(id: string, { atMs, kills }: Counted): void {
    const found = this.#records.take(id, kills);
    for (const { cause, process } of found.slice(0, mostNamed))
      this.#tell(id, { atMs, kind: 'oom-kill', count: 1, cause, process });
    const left = kills - Math.min(found.length, mostNamed);
    const unknown = this.#reason(found.length, atMs);
    if (left > 0 && unknown === undefined) {
      this.#pending.set(id, { atMs, kills: left });
      return;
    }
    this.#pending.delete(id);
    if (left > 0) this.#tell(id, { atMs, kind: 'oom-kill', count: left, unknown });
  }

  /** Why no more names are to be waited for; undefined while they may still come. */
  #reason(found: number, atMs: number): string | undefined {
    if (found > mostNamed) return `only the first ${mostNamed} are named`;
    if (this.#unreadable?.forGood) return this.#unreadable.why;
    if (Date.now() - atMs <= patienceMs) return undefined;
    return this.#unreadable?.why ?? "the kernel's log does not tell of it";
  }
}
