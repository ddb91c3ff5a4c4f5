/** Spawns a shim with its plan, and waits until the image's program was executed or refused. */
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
  /** Taken over by the process that is started. */
  takeRoot?: () => number | undefined;
  /** One for each place where the child waits, in order; it goes on when its gate is opened. */
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
 * For a shim whose duty is to leave: resolves with the child's pid once the shim has gone and the
 * child is the caller's, or that of the caller's nearest subreaper.
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

/** The shim's ends stay open until it has told: one that was killed has a successor that needs them. */
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

/** Undefined when the shim was killed before it began, and nothing is to be seen of it. */
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
  // The shim leaves only after its child is gone, so that nothing is left when the caller hears of it.
  await alive.ended;
  reapInBackground(shimPid);
  if (report !== undefined) throw startFailure(plan.steps, report);
  // Its child does nothing of its own before it is written down, and ends when it never is.
  if (wasWarm && readPids(plan.runDirectory) === undefined) return undefined;
  throw new CortenError('internal', "the container's parent process was killed while it started");
}
