/**
 * Reads every running container once a second, and keeps an hour of it. Nothing is read or kept
 * open while nothing runs; a container that ends before its first second costs nothing.
 */
import type { Cgroup, UsageMeter } from '../../cgroup/cgroup.ts';
import { nothingUsed, type Usage } from '../../contract/limits.ts';
import type { BlameEvent, PressureSample } from '../../contract/pressure.ts';
import type { Round } from '../../runtime/beat.ts';
import { BlameWatch, type FullDisk } from './blame.ts';
import { inBreaths } from './breaths.ts';
import { lookBriefly } from './brief-look.ts';
import { Contention } from './contention.ts';
import { countsNoHits, difference, type Reading } from './difference.ts';
import { MachineStall } from './machine-stall.ts';
import { OomBlame, type RecordSource } from './oom-blame.ts';
import { needOfOthers } from './others-memory.ts';
import { hourSeconds, SampleRing } from './ring.ts';
import { TurnOrder, type TurnOrderOptions } from './turn-order.ts';

const periodMs = 1000;
/** A first sample reaches back to the start of the container, unless that is longer ago. */
const longestIntervalMs = 60_000;
/** What lives less long keeps nobody waiting. */
const settleMs = 50;
const keptEvents = 200;

/** One container, from its first start until it is removed or an hour after its last end. */
export interface Subject {
  readonly id: string;
  cgroup: Cgroup | undefined;
  ring: SampleRing | undefined;
  latest: PressureSample | undefined;
  readonly events: BlameEvent[];
  countsNoHits: boolean;
}

interface Running {
  subject: Subject;
  meter: UsageMeter;
  before: Reading;
  watch: BlameWatch;
  /** What it was last told that others need; undefined: nothing yet, by this process. */
  othersBytes: number | undefined;
}

export interface SamplerOptions extends TurnOrderOptions {
  kernelLog: RecordSource;
  cgroupVersion: 1 | 2;
  /** Where a container that runs can write nothing now. */
  fullDisk?: (id: string) => FullDisk | undefined;
  /** Told of each event, which is in the history by then. */
  blame: (id: string, event: BlameEvent) => void;
  /** What the others need of the memory, which the container leaves to them if it has no limit of its own. */
  leaveToOthers?: (id: string, othersBytes: number) => void;
  /** Told of each round, and between two of them of a second container and of contention. */
  onRound?: ((round: Round) => void) | undefined;
  makeContention?: () => Contention;
}

export class Sampler {
  readonly machine = new MachineStall();
  readonly #options: SamplerOptions;
  readonly #makeContention: () => Contention;
  readonly #contention: Contention;
  readonly #turns: TurnOrder;
  readonly #subjects = new Map<string, Subject>();
  readonly #running = new Map<string, Running>();
  /** Of those whose last reading failed, which has been told. */
  readonly #unreadable = new Set<string>();
  readonly #young = new Map<string, { subject: Subject; startedAtMs: number }>();
  readonly #expiries = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #oom: OomBlame;
  /** Whether containers contend, by the last round or by a look since. */
  #isContended = false;
  /** Of the looks between two rounds: one goes on, one has found that they contend. */
  #early: 'looks' | 'found' | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #secondBegins: ReturnType<typeof setTimeout> | undefined;
  #tick = Promise.withResolvers<void>();

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#makeContention = options.makeContention ?? (() => new Contention());
    this.#contention = this.#makeContention();
    this.#turns = new TurnOrder(options);
    this.#oom = new OomBlame(
      options.kernelLog,
      (id, event) => this.#tell(id, event),
      (error) => options.report("read the kernel's log", error),
    );
  }

  /** A container runs now. */
  begin(id: string, cgroup: Cgroup, startedAt: Date): void {
    const subject = this.#subjects.get(id) ?? newSubject(id);
    subject.cgroup = cgroup;
    this.#subjects.set(id, subject);
    this.#keepOn(id);
    this.#young.set(id, { subject, startedAtMs: startedAt.getTime() });
    this.#schedule();
    // From now on one may keep the other waiting.
    if (this.#running.size + this.#young.size === 2)
      this.#secondBegins ??= setTimeout(() => this.#tellOfSecond(), settleMs).unref();
  }

  /** It is about to be told to end. */
  letEnd(id: string): void {
    this.#turns.letEnd(id);
  }

  /**
   * Its processes have ended and its group is still there: the last reading. Resolves once every
   * kill has been told; never rejects, since nothing that ends may be held up by it.
   */
  async end(id: string, oomKills: number): Promise<void> {
    const subject = this.#subjects.get(id);
    if (subject?.cgroup === undefined) return;
    try {
      // One that lived for less than a second is of interest only if it was killed for memory.
      if (this.#running.has(id) || oomKills > 0) this.#sample(id);
    } catch (error) {
      this.#options.report(`sample container ${id} for the last time`, error);
    }
    this.#running.get(id)?.meter.close();
    this.#running.delete(id);
    this.#turns.remove(id);
    this.#young.delete(id);
    this.#unreadable.delete(id);
    subject.cgroup = undefined;
    if (subject.ring === undefined) this.forget(id);
    else this.#expiries.set(id, setTimeout(() => this.forget(id), hourSeconds * 1000).unref());
    await this.#oom
      .settleAll(id)
      .catch((error) => this.#options.report(`tell of the kills in ${id}`, error));
  }

  /** It was removed. */
  forget(id: string): void {
    this.#keepOn(id);
    this.#subjects.delete(id);
  }

  /**
   * Somebody waits for a processor: if it is containers that keep each other waiting, who comes first is set now
   * and not at the next round, a second of waiting later. Never rejects.
   */
  async lookEarly(): Promise<void> {
    if (this.#isContended || this.#early !== undefined) return;
    this.#early = 'looks';
    try {
      const used = await lookBriefly({
        ids: () => this.#ids(),
        usedNanos: (id) => (this.#unreadable.has(id) ? undefined : this.usage(id)?.cpu.totalNanos),
        contention: this.#makeContention(),
      });
      this.#early = used && 'found';
      if (used === undefined) return;
      this.#isContended = true;
      this.#options.onRound?.({ running: used.size, isContended: true });
      await this.#turns.set(used, true);
    } catch (error) {
      this.#early = undefined;
      this.#options.report('look at the containers between two samples', error);
    }
  }

  find(id: string): Subject | undefined {
    const subject = this.#subjects.get(id);
    subject?.ring?.expire(Date.now());
    return subject;
  }

  /** What it uses at this moment; undefined when it does not run. */
  usage(id: string): Usage | undefined {
    const running = this.#running.get(id);
    return running === undefined ? this.#subjects.get(id)?.cgroup?.usage() : running.meter.read();
  }

  /** Resolves after the next round of samples; never while nothing runs. */
  nextTick(): Promise<void> {
    return this.#tick.promise;
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#secondBegins);
    for (const { meter } of this.#running.values()) meter.close();
    for (const expiry of this.#expiries.values()) clearTimeout(expiry);
    this.#running.clear();
    this.#young.clear();
    this.#oom.close();
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    // On the second, so that each second of the clock gets one sample.
    const untilNextMs = periodMs - (Date.now() % periodMs);
    this.#timer = setTimeout(
      () => {
        this.#round()
          .catch((error) => this.#options.report('sample the containers', error))
          .finally(() => {
            this.#timer = undefined;
            if (this.#running.size + this.#young.size > 0 || this.#oom.pending) this.#schedule();
            else this.#rest();
          });
      },
      untilNextMs < 50 ? untilNextMs + periodMs : untilNextMs,
    ).unref();
  }

  async #round(): Promise<void> {
    const ids = this.#ids();
    this.machine.sample(Date.now());
    const running = ids.length;
    // Over a whole second those that began in the midst of it may not show yet.
    this.#isContended = this.#contention.look(running) || this.#early === 'found';
    if (this.#early === 'found') this.#early = undefined;
    this.#options.onRound?.({ running, isContended: this.#isContended });
    for await (const id of inBreaths(ids)) this.#sample(id);
    this.#leaveToOthers();
    await this.#turns.set(this.#usedInSecond(), this.#isContended);
    await this.#oom.settle();
    const tick = this.#tick;
    this.#tick = Promise.withResolvers();
    tick.resolve();
  }

  #tellOfSecond(): void {
    this.#secondBegins = undefined;
    this.#options.onRound?.({ running: this.#ids().length, isContended: this.#isContended });
  }

  #ids(): string[] {
    return [...this.#running.keys(), ...this.#young.keys()];
  }

  #sample(id: string): void {
    try {
      const running = this.#running.get(id) ?? this.#grow(id);
      if (running !== undefined) this.#take(running);
      this.#unreadable.delete(id);
    } catch (error) {
      // Each second brings the next one.
      if (!this.#unreadable.has(id)) this.#options.report(`sample container ${id}`, error);
      this.#unreadable.add(id);
    }
  }

  /** The first reading: from here on its files stay open. */
  #grow(id: string): Running | undefined {
    const young = this.#young.get(id);
    if (young?.subject.cgroup === undefined) return undefined;
    this.#young.delete(id);
    const { subject, startedAtMs } = young;
    const meter = young.subject.cgroup.meter();
    const nowMs = Date.now();
    const before: Reading =
      nowMs - startedAtMs < longestIntervalMs
        ? { atMs: startedAtMs, usage: nothingUsed }
        : { atMs: nowMs, usage: meter.read() };
    const running = {
      meter,
      before,
      watch: new BlameWatch(),
      othersBytes: undefined,
      subject,
    };
    this.#running.set(id, running);
    this.#turns.add(id);
    return before.usage === nothingUsed ? running : undefined;
  }

  #take(running: Running): void {
    const { meter, before, watch, subject } = running;
    const fullDisk = this.#options.fullDisk?.(subject.id);
    const after: Reading = { atMs: Date.now(), usage: meter.read() };
    const passed = difference(before, after, this.#options.cgroupVersion);
    if (passed === undefined) return;
    const sample: PressureSample = { ...passed, diskFull: fullDisk !== undefined };
    running.before = after;
    subject.ring ??= new SampleRing({ stall: after.usage.stall !== undefined });
    subject.ring.push(sample);
    subject.latest = sample;
    subject.countsNoHits ||= countsNoHits(after.usage, this.#options.cgroupVersion);
    if (sample.oomKills > 0) this.#oom.count(subject.id, sample.oomKills, after.atMs);
    for (const event of watch.look(sample, fullDisk)) this.#tell(subject.id, event);
    this.#turns.look(subject.id, sample);
  }

  #leaveToOthers(): void {
    const running = [...this.#running.values()];
    const othersBytes = needOfOthers(running.map(({ before }) => before.usage));
    for (const one of running) {
      if (one.othersBytes === othersBytes) continue;
      one.othersBytes = othersBytes;
      try {
        this.#options.leaveToOthers?.(one.subject.id, othersBytes);
      } catch (error) {
        // The others have theirs nevertheless, and this one what it had.
        this.#options.report(`leave others of the memory of container ${one.subject.id}`, error);
      }
    }
  }

  /** Of one processor. */
  #usedInSecond(): Map<string, number> {
    const used = new Map<string, number>();
    for (const [id, { subject }] of this.#running) {
      const { latest } = subject;
      if (latest !== undefined) used.set(id, latest.cpu.usedMicros / 1000 / latest.intervalMs);
    }
    return used;
  }

  #tell(id: string, event: BlameEvent): void {
    const subject = this.#subjects.get(id);
    if (subject === undefined) return;
    subject.events.push(event);
    if (subject.events.length > keptEvents) subject.events.shift();
    this.#options.blame(id, event);
  }

  #keepOn(id: string): void {
    clearTimeout(this.#expiries.get(id));
    this.#expiries.delete(id);
  }

  #rest(): void {
    this.#contention.look(0);
    this.#isContended = false;
    if (this.#early === 'found') this.#early = undefined;
    this.#options.onRound?.({ running: 0, isContended: false });
    this.#oom.close();
    this.machine.rest();
  }
}

function newSubject(id: string): Subject {
  return {
    id,
    cgroup: undefined,
    ring: undefined,
    latest: undefined,
    events: [],
    countsNoHits: false,
  };
}
