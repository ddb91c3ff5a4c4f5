/** Spawns a shim with its plan, and waits until the image's program was executed or refused. */
import { closeSync } from 'node:fs';
import { CortenError } from '../errors.ts';
import type { ShimDuties, Step } from './plan.ts';
import { makeRunDirectory } from './run-directory.ts';
import { reapInBackground, ShimProcess } from './running-process.ts';
import { AliveWatch, type ShimDescriptors, type ShimStarter } from './shim.ts';
import { startFailure } from './start-failure.ts';
import type { StdioPlan } from './stdio.ts';

export interface ProcessPlan {
  runDirectory: string;
  descriptors: ShimDescriptors;
  duties: ShimDuties;
  steps: readonly Step[];
  stdio: StdioPlan;
}

export async function startProcess(starter: ShimStarter, plan: ProcessPlan): Promise<ShimProcess> {
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

async function awaitStart(
  plan: ProcessPlan,
  shimPid: number,
  alive: AliveWatch,
): Promise<ShimProcess> {
  const report = await alive.report;
  if (report?.kind === 'started') {
    const { runDirectory, stdio } = plan;
    const { childPid } = report;
    const startedAt = new Date();
    return new ShimProcess({
      runDirectory,
      shimPid,
      childPid,
      startedAt,
      stdio: stdio.agent,
      alive,
    });
  }
  // The shim leaves only after its child is gone, so that nothing is left when the caller hears of it.
  await alive.ended;
  reapInBackground(shimPid);
  if (report === undefined)
    throw new CortenError('internal', "the container's parent process was killed while it started");
  throw startFailure(plan.steps, report);
}
