/** Pulling an image of many layers from a registry on the engine's own loopback. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../peers/engines.ts';
import { type Contestant, goal, type Result, race } from './measure.ts';
import { fillRegistry, layeredImage, layeredImageText, serveRegistry } from './registry.ts';

const { repository, tag } = layeredImage;
const warmUps = 1;

export async function benchPull(engines: Engine[], runs: number): Promise<Result[]> {
  // Podman takes no plain HTTP without a change of its machine-wide configuration.
  const pulling = engines.filter(({ name }) => name !== 'podman');
  const storage = mkdtempSync(join(tmpdir(), 'corten-bench-registry-'));
  const registries: ChildProcess[] = [];
  try {
    const [first] = pulling;
    if (first !== undefined) await fillRegistry(storage, first.pid);
    for (const { pid } of pulling) registries.push(await serveRegistry(storage, pid));
    const rounds = Math.max(5, Math.ceil(runs / 3));
    const measurements = await race(pulling.map(contestant), rounds, warmUps);
    return [
      {
        benchmark: 'pull',
        what: `pull of ${layeredImageText} from a registry on loopback`,
        unit: 'ms',
        measurements,
        goals: goal(measurements, 'dockerd', 1, "at most dockerd's time"),
      },
    ];
  } finally {
    for (const registry of registries) registry.kill('SIGTERM');
    rmSync(storage, { recursive: true, force: true });
  }
}

function contestant({ name, client }: Engine): Contestant {
  return {
    name,
    run: () => client.drain('POST', `/images/create?fromImage=${repository}&tag=${tag}`),
    // Fails where the pull did, since the API tells of that in a stream that began with 200.
    restore: async () => {
      await client.call('DELETE', `/images/${repository}:${tag}?force=1`);
    },
  };
}
