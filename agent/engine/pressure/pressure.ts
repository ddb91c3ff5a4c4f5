/** Pressure, history and suggestions of the containers, as the API asks for them. */
import { availableParallelism, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PressureBackend } from '../../api/corten/backend.ts';
import type { LimitEvent, PressureDocument, PressureSample } from '../../contract/pressure.ts';
import type { EngineContext } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import { historyColumns, stallColumns, stepsUntil } from '../metrics/history.ts';
import { nothingSeen, type SampleRing } from '../metrics/sample-ring.ts';
import type { ContainerMetrics } from '../metrics/sampler.ts';
import { suggestLimits } from './suggestions.ts';

type Parts = Pick<EngineContext, 'containers' | 'live' | 'pressure' | 'cgroups'>;

/** Somewhat more than a round takes; while nothing runs, there are none to wait for. */
const longestWaitMs = 1500;

export function createPressureBackend(context: Parts): PressureBackend {
  const { containers, live, pressure, cgroups } = context;
  return {
    now: (reference) => document(context, containers.find(reference).id),
    async *watch(reference, signal) {
      const { id } = containers.find(reference);
      while (!signal.aborted && containers.get(id) !== undefined) {
        yield document(context, id);
        await nextRound(context, id, signal);
      }
    },
    all: () => ({
      machine: pressure.machine.latest ?? null,
      containers: live.ids().map((id) => document(context, id)),
    }),
    history(reference, { seconds, stepSeconds }) {
      const { id } = containers.find(reference);
      const metrics = pressure.find(id);
      const steps = stepsUntil(Date.now(), seconds, stepSeconds);
      const machine = [...pressure.machine.since(steps.fromMs)];
      return {
        id,
        fromMs: steps.fromMs,
        stepSeconds,
        columns: historyColumns(samplesOf(metrics?.ring), steps),
        stall: stallColumns(samplesOf(metrics?.ring), steps),
        machineStall: stallColumns(machine, steps),
        events: metrics?.events.filter(({ atMs }) => atMs >= steps.fromMs) ?? [],
        absent: absent(cgroups.version, metrics),
      };
    },
    suggestions(reference) {
      const { id, settings } = containers.find(reference);
      const samples = [...samplesOf(pressure.find(id)?.ring)];
      const machine = { cpus: availableParallelism(), memoryBytes: totalmem() };
      return suggestLimits(id, samples, settings.limits, machine);
    },
  };
}

/** Goes out with the other events, in Docker's form: an action with its detail behind a colon. */
export function emitLimitEvent(
  { containers, events }: Pick<EngineContext, 'containers' | 'events'>,
  id: string,
  { kind, count, process, cause, volume }: LimitEvent,
): void {
  const record = containers.get(id);
  if (record === undefined) return;
  emitContainerEvent(events, record, `pressure: ${kind}`, {
    count: String(count),
    ...(cause && { cause }),
    ...(volume && { volume }),
    ...(process && {
      process: process.name,
      pid: String(process.pid),
      memoryBytes: String(process.memoryBytes),
    }),
  });
}

function document({ containers, live, pressure, cgroups }: Parts, id: string): PressureDocument {
  const metrics = pressure.find(id);
  return {
    id,
    name: containers.require(id).name,
    running: live.get(id) !== undefined,
    sample: metrics?.latest ?? null,
    lastHour: metrics?.ring?.sums() ?? nothingSeen,
    absent: absent(cgroups.version, metrics),
  };
}

function absent(version: 1 | 2, metrics: ContainerMetrics | undefined): Record<string, string> {
  return {
    diskFull:
      'The kernel counts no writes that failed because a file system was full; seconds in which one was full are counted instead.',
    ...(version === 1 && {
      stall:
        'Control groups of version 1 have no pressure of their own; machineStall is the whole machine’s.',
    }),
    ...(metrics?.countsNoHits && {
      memoryLimitHits:
        'This kernel does not count hits of the memory limit; seconds in which memory stood at its limit are counted instead.',
    }),
  };
}

function* samplesOf(ring: SampleRing | undefined): Generator<PressureSample> {
  for (let index = 0; ring !== undefined && index < ring.length; index++) yield ring.at(index);
}

async function nextRound(
  { live, pressure }: Pick<Parts, 'live' | 'pressure'>,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  // Ends early when the reader left, which is what was asked for.
  const pause = sleep(longestWaitMs, undefined, { signal: either }).catch(() => undefined);
  await (live.get(id) === undefined ? pause : Promise.race([pressure.nextTick(), pause]));
  over.abort();
}
