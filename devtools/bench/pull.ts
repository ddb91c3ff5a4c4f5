/** Pulling an image of many layers from a registry on the engine's own loopback. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../peers/engines.ts';
import { type BenchmarkCase, goal, measureInTurns, type Result } from './measure.ts';
import { fillRegistry, layeredImage, layeredImageText, serveRegistry } from './registry.ts';

const { repository, tag } = layeredImage;
const warmUps = 1;

export async function benchPull(engines: Engine[], runs: number): Promise<Result[]> {
  // Podman allows plain HTTP only in its system-wide configuration, which must not be changed here.
  const pulling = engines.filter(({ name }) => name !== 'podman');
  const storage = mkdtempSync(join(tmpdir(), 'corten-bench-registry-'));
  const registries: ChildProcess[] = [];
  try {
    const [first] = pulling;
    if (first !== undefined) await fillRegistry(storage, first.pid);
    for (const { pid } of pulling) registries.push(await serveRegistry(storage, pid));
    const rounds = Math.max(5, Math.ceil(runs / 3));
    const measurements = await measureInTurns(pulling.map(each), rounds, warmUps);
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

function each({ name, client }: Engine): BenchmarkCase {
  return {
    name,
    run: () => client.drain('POST', `/images/create?fromImage=${repository}&tag=${tag}`),
    // The API reports a failed pull inside a stream with status 200; inspecting the image shows it.
    restore: async () => {
      await client.call('DELETE', `/images/${repository}:${tag}?force=1`);
    },
  };
}
