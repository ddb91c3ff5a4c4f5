/** 50 containers created and started at once. */
import type { EngineClient } from '../engines/engine-client.ts';
import { type Engine, starterImage } from '../engines/engines.ts';
import { goal, type Result, summarise } from './measure.ts';

const count = 50;

export async function benchParallel(engines: Engine[], runs: number): Promise<Result[]> {
  const rounds = Math.max(3, Math.ceil(runs / 10));
  const times = engines.map((): number[] => []);
  // The first round is a warm-up.
  for (let round = 0; round <= rounds; round++)
    for (const [index, { client }] of engines.entries()) {
      const elapsedMs = await startAll(client);
      if (round > 0) times[index]?.push(elapsedMs);
    }
  const measurements = engines.map(({ name }, index) => summarise(name, times[index] ?? []));
  return [
    {
      benchmark: 'parallel',
      what: `${count} containers created and started in parallel`,
      unit: 'ms',
      measurements,
      goals: goal(measurements, 'dockerd', 1 / 10, 'under 1/10 of dockerd'),
    },
  ];
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
