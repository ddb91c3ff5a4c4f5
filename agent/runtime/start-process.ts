/** Spawns a shim with its plan and waits until the program was executed or the start has failed. */
import { closeSync } from 'node:fs';
import { CortenError } from '../errors.ts';
import { AliveWatch, type Waiting } from './alive-watch.ts';
import type { ShimConfig, Step } from './plan.ts';
import { reapInBackground } from './reap.ts';
import { makeRunDirectory, readPids } from './run-directory.ts';
import { ShimProcess } from './running-process.ts';
import type { ShimDescriptors, ShimStarter, StartedShim } from './shim.ts';
import { startFailure } from './start-failure.ts';
import type { StdioPlan } from './stdio.ts';

export interface ProcessPlan {
  runDirectory: string;
  descriptors: ShimDescriptors;
  shimConfig: ShimConfig;
  steps: readonly Step[];
  stdio: StdioPlan;
  /** Returns a descriptor that the started process owns. */
  takeRoot?: () => number | undefined;
  /** One callback for each gate of the child, in order. The gate opens when it resolves. */
  gates?: readonly ((waiting: Waiting) => Promise<void> | void)[];
}

export async function startProcess(starter: ShimStarter, plan: ProcessPlan): Promise<ShimProcess> {
  return processOf(plan, await start(starter, plan));
}

export function processOf(
  { runDirectory, stdio, takeRoot }: Pick<ProcessPlan, 'runDirectory' | 'stdio' | 'takeRoot'>,
  { shimPid, childPid, alive }: Started,
): ShimProcess {
  const startedAt = new Date();
  return new ShimProcess({
    ...{ runDirectory, shimPid, childPid, startedAt, alive },
    stdio: stdio.agent,
    rootFd: takeRoot?.(),
  });
}

/**
 * Starts a process whose shim leaves. Resolves with its pid once the shim has ended and the process
 * is a child of the caller or of its nearest subreaper.
 */
export async function startDetached(starter: ShimStarter, plan: ProcessPlan): Promise<number> {
  const { shimPid, childPid, alive } = await start(starter, plan);
  await alive.ended;
  reapInBackground(shimPid);
  return childPid;
}

export interface Started {
  shimPid: number;
  childPid: number;
  alive: AliveWatch;
}

/**
 * The shim's ends stay open until it reports the start, because a killed warm shim is replaced by
 * another one.
 */
async function start(starter: ShimStarter, plan: ProcessPlan): Promise<Started> {
  try {
    const started =
      (await awaitStart(starter, plan, spawnShim(starter, plan))) ??
      (await awaitStart(starter, plan, spawnShim(starter, plan, true)));
    if (started === undefined) throw new Error('a shim that was not started ahead was missed');
    plan.stdio.closeShimEnds();
    return started;
  } catch (error) {
    plan.stdio.closeShimEnds();
    plan.stdio.closeAgentEnds();
    throw error;
  }
}

export interface SpawnedShim extends StartedShim {
  alive: AliveWatch;
}

export function spawnShim(
  starter: ShimStarter,
  plan: Pick<ProcessPlan, 'runDirectory' | 'descriptors' | 'shimConfig' | 'steps'>,
  fresh = false,
): SpawnedShim {
  const { aliveReadFd, aliveWriteFd } = makeRunDirectory(plan.runDirectory);
  try {
    const shim = starter.start(plan.runDirectory, aliveWriteFd, plan, fresh);
    return { ...shim, alive: new AliveWatch(aliveReadFd) };
  } catch (error) {
    closeSync(aliveReadFd);
    throw error;
  } finally {
    closeSync(aliveWriteFd);
  }
}

/** Returns undefined when the shim was killed before it began. */
export async function awaitStart(
  starter: ShimStarter,
  plan: Pick<ProcessPlan, 'runDirectory' | 'steps' | 'gates'>,
  { shimPid, wasWarm, alive }: SpawnedShim,
): Promise<Started | undefined> {
  for (const gate of plan.gates ?? []) {
    const waiting = await alive.nextWaiting();
    if (waiting !== undefined) await gate(waiting);
  }
  const report = await alive.report;
  starter.startWarmShimSoon();
  if (report?.kind === 'started') return { shimPid, childPid: report.childPid, alive };
  // The shim ends after its child, so nothing is left when the caller is told.
  await alive.ended;
  reapInBackground(shimPid);
  if (report !== undefined) throw startFailure(plan.steps, report);
  // The child does nothing before its pid is written down, and ends if that never happens.
  if (wasWarm && readPids(plan.runDirectory) === undefined) return undefined;
  throw new CortenError('internal', "the container's parent process was killed while it started");
}
