/** Spawns a shim with its plan, and waits until the image's program was executed or refused. */
import { closeSync } from 'node:fs';
import { CortenError } from '../errors.ts';
import type { ShimDuties, Step } from './plan.ts';
import { makeRunDirectory } from './run-directory.ts';
import { reapInBackground, ShimProcess } from './running-process.ts';
import { AliveWatch, type ShimDescriptors, type ShimStarter, type Waiting } from './shim.ts';
import { startFailure } from './start-failure.ts';
import type { StdioPlan } from './stdio.ts';

export interface ProcessPlan {
  runDirectory: string;
  descriptors: ShimDescriptors;
  duties: ShimDuties;
  steps: readonly Step[];
  stdio: StdioPlan;
  /** Taken over by the process that is started. */
  takeOverlay?: () => number | undefined;
  /** One for each place where the child waits, in order; it goes on when its gate is opened. */
  gates?: readonly ((waiting: Waiting) => Promise<void> | void)[];
}

export async function startProcess(starter: ShimStarter, plan: ProcessPlan): Promise<ShimProcess> {
  const { shimPid, childPid, alive } = await start(starter, plan);
  const { runDirectory, stdio } = plan;
  const startedAt = new Date();
  return new ShimProcess({
    runDirectory,
    shimPid,
    childPid,
    startedAt,
    stdio: stdio.agent,
    alive,
    overlayFd: plan.takeOverlay?.(),
  });
}

/**
 * For a shim whose duty is to leave: resolves with the child's pid once the shim has gone and the
 * child is the caller's, or that of the caller's nearest subreaper.
 */
export async function startUnattended(starter: ShimStarter, plan: ProcessPlan): Promise<number> {
  const { shimPid, childPid, alive } = await start(starter, plan);
  await alive.ended;
  reapInBackground(shimPid);
  return childPid;
}

interface Started {
  shimPid: number;
  childPid: number;
  alive: AliveWatch;
}

async function start(starter: ShimStarter, plan: ProcessPlan): Promise<Started> {
  try {
    const { shimPid, alive } = spawnShim(starter, plan);
    plan.stdio.closeShimEnds();
    return await awaitStart(plan, shimPid, alive);
  } catch (error) {
    plan.stdio.closeShimEnds();
    plan.stdio.closeAgentEnds();
    throw error;
  }
}

function spawnShim(starter: ShimStarter, plan: ProcessPlan) {
  const { aliveReadFd, aliveWriteFd } = makeRunDirectory(plan.runDirectory);
  try {
    const shimPid = starter.start(plan.runDirectory, aliveWriteFd, plan);
    return { shimPid, alive: new AliveWatch(aliveReadFd) };
  } catch (error) {
    closeSync(aliveReadFd);
    throw error;
  } finally {
    closeSync(aliveWriteFd);
  }
}

async function awaitStart(plan: ProcessPlan, shimPid: number, alive: AliveWatch): Promise<Started> {
  for (const gate of plan.gates ?? []) {
    const waiting = await alive.nextWaiting();
    if (waiting !== undefined) await gate(waiting);
  }
  const report = await alive.report;
  if (report?.kind === 'started') return { shimPid, childPid: report.childPid, alive };
  // The shim leaves only after its child is gone, so that nothing is left when the caller hears of it.
  await alive.ended;
  reapInBackground(shimPid);
  if (report === undefined)
    throw new CortenError('internal', "the container's parent process was killed while it started");
  throw startFailure(plan.steps, report);
}
