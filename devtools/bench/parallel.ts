/** 50 containers created and started at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../peers/engine-client.ts';
import { type Engine, starterImage } from '../peers/engines.ts';
import { goal, type Result, summarise } from './measure.ts';

const count = 50;
/** Ten times what the slowest that ever came to an end took. */
const usualPatienceMs = 120_000;

/** An engine that does not come to an end with it is left out from then on, and that is said. */
export async function benchParallel(
  engines: Pick<Engine, 'name' | 'client'>[],
  runs: number,
  patienceMs = usualPatienceMs,
): Promise<Result[]> {
  const rounds = Math.max(3, Math.ceil(runs / 10));
  const times = engines.map((): number[] => []);
  const stuck = new Set<string>();
  // The first round is a warm-up.
  for (let round = 0; round <= rounds; round++)
    for (const [index, { name, client }] of engines.entries()) {
      if (stuck.has(name)) continue;
      const elapsedMs = await inTime(startAll(client), patienceMs);
      if (elapsedMs === undefined) stuck.add(name);
      else if (round > 0) times[index]?.push(elapsedMs);
    }
  const measurements = engines
    .map(({ name }, index) => summarise(name, times[index] ?? []))
    .filter(({ name }) => !stuck.has(name));
  return [
    {
      benchmark: 'parallel',
      what: `${count} containers created and started in parallel`,
      unit: 'ms',
      measurements,
      goals: goal(measurements, 'dockerd', 1 / 10, 'under 1/10 of dockerd'),
      remarks: [...stuck].map(
        (name) => `${name} left out: it did not come to an end within ${patienceMs / 1000} s`,
      ),
    },
  ];
}

/** Undefined when it takes longer; what it comes to later is nobody's any more. */
async function inTime<T>(work: Promise<T>, patienceMs: number): Promise<T | undefined> {
  const patience = new AbortController();
  const late = sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined);
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    patience.abort();
  }
}

/** Milliseconds until the last one runs; removing them is not counted. */
async function startAll(client: EngineClient): Promise<number> {
  const begin = process.hrtime.bigint();
  const ids = await Promise.all(
    Array.from({ length: count }, async () => {
      const { Id: id } = (await client.call('POST', '/containers/create', {
        Image: starterImage,
        Cmd: ['sleep', '100000'],
        HostConfig: { NetworkMode: 'none' },
      })) as { Id: string };
      await client.call('POST', `/containers/${id}/start`);
      return id;
    }),
  );
  const elapsedMs = Number(process.hrtime.bigint() - begin) / 1e6;
  await Promise.all(ids.map((id) => client.call('DELETE', `/containers/${id}?force=1`)));
  return elapsedMs;
}
