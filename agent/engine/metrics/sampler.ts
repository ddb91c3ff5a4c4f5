/**
 * Reads every running container once a second, and keeps an hour of it. Nothing is read or kept
 * open while nothing runs; a container that ends before its first second costs nothing.
 */
import type { Cgroup, UsageMeter } from '../../cgroup/cgroup.ts';
import { nothingUsed, type Usage } from '../../contract/limits.ts';
import type { LimitEvent, PressureSample } from '../../contract/pressure.ts';
import { Contention } from '../cpu-priority/contention.ts';
import { CpuPriorities, type CpuPrioritiesOptions } from '../cpu-priority/cpu-priorities.ts';
import { inBatches } from '../in-batches.ts';
import { OomEvents, type RecordSource } from '../oom/oom-events.ts';
import { type FullDisk, LimitEvents } from '../pressure/limit-events.ts';
import { countsNoHits, difference, type Reading } from './difference.ts';
import { cpusOf } from './history.ts';
import { MachinePressure } from './machine-pressure.ts';
import { hourSeconds, SampleRing } from './sample-ring.ts';

const periodMs = 1000;
/** The first sample covers the time since the container's start, unless that is longer ago. */
const longestIntervalMs = 60_000;
const keptEvents = 200;

/** What is kept of one container, from its first start until an hour after its last end or its removal. */
export interface ContainerMetrics {
  readonly id: string;
  cgroup: Cgroup | undefined;
  ring: SampleRing | undefined;
  latest: PressureSample | undefined;
  readonly events: LimitEvent[];
  countsNoHits: boolean;
}

interface Running {
  metrics: ContainerMetrics;
  meter: UsageMeter;
  before: Reading;
  limitEvents: LimitEvents;
}

export interface SamplerOptions extends CpuPrioritiesOptions {
  kernelLog: RecordSource;
  cgroupVersion: 1 | 2;
  /** The disk on which a running container has no room left, if there is one. */
  fullDisk?: (id: string) => FullDisk | undefined;
  /** Called for each event after it was added to the history. */
  onEvent: (id: string, event: LimitEvent) => void;
  /** Called once a second while containers run, and with false when the last has ended. */
  onContention?: ((isContended: boolean) => void) | undefined;
  contention?: Pick<Contention, 'check'>;
}

export class Sampler {
  readonly machine = new MachinePressure();
  readonly #options: SamplerOptions;
  readonly #contention: Pick<Contention, 'check'>;
  readonly #cpuPriorities: CpuPriorities;
  readonly #metricss = new Map<string, ContainerMetrics>();
  readonly #running = new Map<string, Running>();
  /** Containers whose last reading failed: the failure is reported once. */
  readonly #unreadable = new Set<string>();
  readonly #young = new Map<string, { metrics: ContainerMetrics; startedAtMs: number }>();
  readonly #expiries = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #oom: OomEvents;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tick = Promise.withResolvers<void>();

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#contention = options.contention ?? new Contention();
    this.#cpuPriorities = new CpuPriorities(options);
    this.#oom = new OomEvents(
      options.kernelLog,
      (id, event) => this.#tell(id, event),
      (error) => options.report("read the kernel's log", error),
    );
  }

  /** Called when a container has started, or was re-adopted. */
  begin(id: string, cgroup: Cgroup, startedAt: Date): void {
    const metrics = this.#metricss.get(id) ?? newContainerMetrics(id);
    metrics.cgroup = cgroup;
    this.#metricss.set(id, metrics);
    this.#keepOn(id);
    this.#young.set(id, { metrics, startedAtMs: startedAt.getTime() });
    this.#schedule();
  }

  /** Called before the container is told to stop. */
  stopping(id: string): void {
    this.#cpuPriorities.stopping(id);
  }

  /**
   * Takes the last reading after the container's processes have ended, while its cgroup still exists. Resolves once
   * every OOM kill was told; never rejects, because it must not hold up the end of a container.
   */
  async end(id: string, oomKills: number): Promise<void> {
    const metrics = this.#metricss.get(id);
    if (metrics?.cgroup === undefined) return;
    try {
      // One that lived for less than a second is of interest only if it was killed for memory.
      if (this.#running.has(id) || oomKills > 0) this.#sample(id);
    } catch (error) {
      this.#options.report(`sample container ${id} for the last time`, error);
    }
    this.#running.get(id)?.meter.close();
    this.#running.delete(id);
    this.#cpuPriorities.remove(id);
    this.#young.delete(id);
    this.#unreadable.delete(id);
    metrics.cgroup = undefined;
    if (metrics.ring === undefined) this.forget(id);
    else this.#expiries.set(id, setTimeout(() => this.forget(id), hourSeconds * 1000).unref());
    await this.#oom
      .settleAll(id)
      .catch((error) => this.#options.report(`tell of the kills in ${id}`, error));
  }

  /** Called when the container was removed. */
  forget(id: string): void {
    this.#keepOn(id);
    this.#metricss.delete(id);
  }

  find(id: string): ContainerMetrics | undefined {
    const metrics = this.#metricss.get(id);
    metrics?.ring?.expire(Date.now());
    return metrics;
  }

  /** What the container uses at this moment; undefined when it does not run. */
  usage(id: string): Usage | undefined {
    const running = this.#running.get(id);
    return running === undefined ? this.#metricss.get(id)?.cgroup?.usage() : running.meter.read();
  }

  /** Resolves after the next round of samples; never while nothing runs. */
  nextTick(): Promise<void> {
    return this.#tick.promise;
  }

  close(): void {
    clearTimeout(this.#timer);
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
    const isContended = this.#contention.check(ids.length);
    this.#options.onContention?.(isContended);
    for await (const id of inBatches(ids)) this.#sample(id);
    await this.#cpuPriorities.update(this.#usedCpus(), isContended);
    await this.#oom.settle();
    const tick = this.#tick;
    this.#tick = Promise.withResolvers();
    tick.resolve();
  }

  #ids(): string[] {
    return [...this.#running.keys(), ...this.#young.keys()];
  }

  #sample(id: string): void {
    try {
      const running = this.#running.get(id) ?? this.#startReading(id);
      if (running !== undefined) this.#take(running);
      this.#unreadable.delete(id);
    } catch (error) {
      // The next second tries again.
      if (!this.#unreadable.has(id)) this.#options.report(`sample container ${id}`, error);
      this.#unreadable.add(id);
    }
  }

  /** Takes the first reading; from now on the cgroup's files stay open. */
  #startReading(id: string): Running | undefined {
    const young = this.#young.get(id);
    if (young?.metrics.cgroup === undefined) return undefined;
    this.#young.delete(id);
    const { metrics, startedAtMs } = young;
    const meter = young.metrics.cgroup.meter();
    const nowMs = Date.now();
    const before: Reading =
      nowMs - startedAtMs < longestIntervalMs
        ? { atMs: startedAtMs, usage: nothingUsed }
        : { atMs: nowMs, usage: meter.read() };
    const running = {
      meter,
      before,
      limitEvents: new LimitEvents(),
      metrics,
    };
    this.#running.set(id, running);
    this.#cpuPriorities.add(id);
    return before.usage === nothingUsed ? running : undefined;
  }

  #take(running: Running): void {
    const { meter, before, limitEvents, metrics } = running;
    const fullDisk = this.#options.fullDisk?.(metrics.id);
    const after: Reading = { atMs: Date.now(), usage: meter.read() };
    const passed = difference(before, after, this.#options.cgroupVersion);
    if (passed === undefined) return;
    const sample: PressureSample = { ...passed, diskFull: fullDisk !== undefined };
    running.before = after;
    metrics.ring ??= new SampleRing({ stall: after.usage.stall !== undefined });
    metrics.ring.push(sample);
    metrics.latest = sample;
    metrics.countsNoHits ||= countsNoHits(after.usage, this.#options.cgroupVersion);
    if (sample.oomKills > 0) this.#oom.count(metrics.id, sample.oomKills, after.atMs);
    for (const event of limitEvents.observe(sample, fullDisk)) this.#tell(metrics.id, event);
    this.#cpuPriorities.observe(metrics.id, sample);
  }

  /** CPUs that each container used in the last second. */
  #usedCpus(): Map<string, number> {
    const used = new Map<string, number>();
    for (const [id, { metrics }] of this.#running)
      if (metrics.latest !== undefined) used.set(id, cpusOf(metrics.latest));
    return used;
  }

  #tell(id: string, event: LimitEvent): void {
    const metrics = this.#metricss.get(id);
    if (metrics === undefined) return;
    metrics.events.push(event);
    if (metrics.events.length > keptEvents) metrics.events.shift();
    this.#options.onEvent(id, event);
  }

  #keepOn(id: string): void {
    clearTimeout(this.#expiries.get(id));
    this.#expiries.delete(id);
  }

  #rest(): void {
    this.#contention.check(0);
    this.#options.onContention?.(false);
    this.#oom.close();
    this.machine.rest();
  }
}

function newContainerMetrics(id: string): ContainerMetrics {
  return {
    id,
    cgroup: undefined,
    ring: undefined,
    latest: undefined,
    events: [],
    countsNoHits: false,
  };
}
