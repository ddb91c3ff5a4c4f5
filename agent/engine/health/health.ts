/** Health checks (docs.docker.com/reference/dockerfile: HEALTHCHECK). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerState, HealthCheck } from '../../contract/container.ts';
import type { RunningContainer } from '../containers/running-containers.ts';
import { type EngineContext, reporter } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import { timerMs } from '../timer.ts';
import { type ProbeResult, probe } from './health-probe.ts';

type Health = NonNullable<ContainerState['health']>;

const defaults = {
  intervalMs: 30_000,
  timeoutMs: 30_000,
  startPeriodMs: 0,
  startIntervalMs: 5000,
  retries: 3,
};
const keptResults = 5;

/** Runs the health check of a container until it exits. */
export function watchHealth(context: EngineContext, id: string, live: RunningContainer): void {
  const { health } = context.containers.require(id).settings;
  if (health === undefined || isOff(health)) return;
  const check = withDefaults(health);
  keepProbing(context, id, live, check).catch((error) => {
    // The container's exit aborts its checks, which is no failure.
    if (!live.watchers.signal.aborted) reporter(context, `check the health of ${id}`)(error);
  });
}

const isOff = ({ test }: HealthCheck) => test.length === 0 || test[0] === 'NONE';

function withDefaults(check: HealthCheck): HealthCheck {
  return {
    test: check.test,
    intervalMs: check.intervalMs || defaults.intervalMs,
    timeoutMs: check.timeoutMs || defaults.timeoutMs,
    startPeriodMs: check.startPeriodMs || defaults.startPeriodMs,
    startIntervalMs: check.startIntervalMs || defaults.startIntervalMs,
    retries: check.retries || defaults.retries,
  };
}

async function keepProbing(
  context: EngineContext,
  id: string,
  live: RunningContainer,
  check: HealthCheck,
): Promise<void> {
  const { signal } = live.watchers;
  for (;;) {
    await sleep(timerMs(pauseMs(context, id, check)), undefined, { signal, ref: false });
    const record = context.containers.require(id);
    if (record.state.status !== 'running') continue;
    const result = await probe(context, record, live, check);
    if (signal.aborted) return;
    note(context, id, check, result);
  }
}

/** The interval is shorter during the start period, so that a container counts as healthy soon. */
function pauseMs({ containers }: EngineContext, id: string, check: HealthCheck): number {
  const { state } = containers.require(id);
  const starting = state.health?.status === 'starting' && isStartingUp(state, check);
  return starting ? Math.min(check.startIntervalMs, check.intervalMs) : check.intervalMs;
}

const isStartingUp = ({ startedAt }: ContainerState, { startPeriodMs }: HealthCheck) =>
  Date.now() - (startedAt?.getTime() ?? 0) < startPeriodMs;

function note(context: EngineContext, id: string, check: HealthCheck, result: ProbeResult): void {
  const { state } = context.containers.require(id);
  const before = state.health ?? { status: 'starting', failingStreak: 0, log: [] };
  const after = nextHealth(before, result, {
    retries: check.retries,
    startingUp: isStartingUp(state, check),
  });
  const record = context.containers.setLive(id, { state: { ...state, health: after } });
  if (after.status !== before.status)
    emitContainerEvent(context.events, record, `health_status: ${after.status}`);
}

/** A failure counts only after the start period; one success ends that period. */
export function nextHealth(
  before: Health,
  result: ProbeResult,
  { retries, startingUp }: { retries: number; startingUp: boolean },
): Health {
  const log = [...before.log, result].slice(-keptResults);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (before.status === 'starting' && startingUp) return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  return {
    status: failingStreak >= retries ? 'unhealthy' : before.status,
    failingStreak,
    log,
  };
}
