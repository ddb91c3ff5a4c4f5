/** Creates and starts 50 containers at the same time. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../peers/engine-client.ts';
import { type Engine, starterImage } from '../peers/engines.ts';
import { goal, type Result, summarise } from './measure.ts';

const count = 50;
/** Ten times the slowest run that ever finished. */
const defaultTimeoutMs = 120_000;

/** An engine that does not finish in time is left out of the later rounds, with a remark below the table. */
export async function benchParallel(
  engines: Pick<Engine, 'name' | 'client'>[],
  runs: number,
  timeoutMs = defaultTimeoutMs,
): Promise<Result[]> {
  const rounds = Math.max(3, Math.ceil(runs / 10));
  const times = engines.map((): number[] => []);
  const stuck = new Set<string>();
  // The first round is a warm-up.
  for (let round = 0; round <= rounds; round++)
    for (const [index, { name, client }] of engines.entries()) {
      if (stuck.has(name)) continue;
      const elapsedMs = await withDeadline(startAll(client), timeoutMs);
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
        (name) => `${name} left out: it did not finish within ${timeoutMs / 1000} s`,
      ),
    },
  ];
}

/** Resolves to undefined when the work takes longer than `timeoutMs`; its later outcome is ignored. */
async function withDeadline<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const deadline = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: deadline.signal }).catch(() => undefined);
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    deadline.abort();
  }
}

/** Resolves to the milliseconds until the last container runs, without their removal. */
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
