/** Resident memory: beside each running container, and of the engine when nothing runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Engine, residentBytes } from '../peers/engines.ts';
import { startSleeper } from './exec.ts';
import { goal, type Measurement, type Result, summarise } from './measure.ts';

const containersEach = 5;
/** An engine's work at its start, such as importing an image, has ended and freed its memory by then. */
const settleMs = 10_000;

export async function benchMemory(engines: Engine[]): Promise<Result[]> {
  await sleep(settleMs);
  const idle = engines.map((engine) => summarise(engine.name, [engineBytes(engine)]));
  const helpers: Measurement[] = [];
  for (const engine of engines) {
    const ids: string[] = [];
    for (let index = 0; index < containersEach; index++)
      ids.push(await startSleeper(engine.client));
    await sleep(1_000);
    // Helpers leave their engine's process tree, so all of the host are counted, and no other engine may run.
    helpers.push(summarise(engine.name, residentBytes(engine.helperProcess)));
    for (const id of ids) await engine.client.call('DELETE', `/containers/${id}?force=1`);
  }
  return [
    {
      benchmark: 'memory-helper',
      what: 'resident memory of the helper process beside each running container',
      unit: 'bytes',
      measurements: helpers,
      goals: goal(helpers, 'dockerd', 1 / 40, 'under 1/40 of containerd-shim'),
    },
    {
      benchmark: 'memory-idle',
      what: 'resident memory of the engine while nothing runs',
      unit: 'bytes',
      measurements: idle,
      goals: goal(idle, 'dockerd', 1, 'at most dockerd + containerd'),
    },
  ];
}

function engineBytes(engine: Engine): number {
  return engine.idleProcesses
    .flatMap((name) => residentBytes(name, engine.pid))
    .reduce((sum, bytes) => sum + bytes, 0);
}
