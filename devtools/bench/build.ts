/**
 * `docker build` by BuildKit's protocol: a file of 12 steps in three stages built cold, from the cache and after a change
 * of one source file, and a context of 200 MB that is sent again unchanged.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, starterImage } from '../peers/engines.ts';
import { type BenchmarkCase, goal, measureInTurns, type Result } from './measure.ts';

const dockerfile = `FROM ${starterImage} AS tools
RUN mkdir -p /tools && echo tool > /tools/one
RUN echo tool > /tools/two
RUN cat /tools/one /tools/two > /tools/all
FROM ${starterImage} AS build
WORKDIR /src
COPY lib ./lib
RUN cat lib/* > /lib.o
COPY main.c ./
COPY --from=tools /tools /tools
RUN cat main.c /lib.o /tools/all > /app
FROM ${starterImage}
COPY --from=build /app /usr/bin/app
RUN chmod 755 /usr/bin/app
CMD ["/usr/bin/app"]
`;
const libraryFiles = 40;
const largeFiles = 100;
const largeFileBytes = 2 * 1024 ** 2;
const warmUps = 1;

export async function benchBuild(engines: Engine[], runs: number): Promise<Result[]> {
  // Podman's API has the classic builder only, which is another work.
  const building = engines.filter(({ name }) => name !== 'podman');
  const rounds = Math.max(5, Math.ceil(runs / 3));
  const place = mkdtempSync(join(tmpdir(), 'corten-bench-build-'));
  try {
    const source = writeSource(join(place, 'source'));
    const large = writeLarge(join(place, 'large'));
    const measured = async (
      what: string,
      limit: number,
      each: (engine: Engine) => BenchmarkCase,
    ) => {
      const measurements = await measureInTurns(building.map(each), rounds, warmUps);
      const text = `at most ${limit} of dockerd's time`;
      return {
        benchmark: 'build',
        what,
        unit: 'ms' as const,
        measurements,
        goals: goal(measurements, 'dockerd', limit, text),
      };
    };
    return [
      await measured('cold build of 12 steps in three stages', 0.5, (engine) => ({
        name: engine.name,
        run: async () => build(engine, source),
        restore: async () => prune(engine),
      })),
      await measured('the same, fully cached', 0.3, (engine) => ({
        name: engine.name,
        run: async () => build(engine, source),
      })),
      await measured('the same after a change of one source file', 0.5, (engine) => ({
        name: engine.name,
        run: async () => build(engine, source),
        restore: async () => changeSource(source),
      })),
      await measured('a context of 200 MB, sent again unchanged', 0.5, (engine) => ({
        name: engine.name,
        run: async () => build(engine, large),
      })),
    ];
  } finally {
    rmSync(place, { recursive: true });
  }
}

function writeSource(directory: string): string {
  mkdirSync(join(directory, 'lib'), { recursive: true });
  writeFileSync(join(directory, 'Dockerfile'), dockerfile);
  for (let file = 0; file < libraryFiles; file++)
    writeFileSync(join(directory, `lib/${file}.c`), randomBytes(4096));
  changeSource(directory);
  return directory;
}

function changeSource(directory: string): void {
  writeFileSync(join(directory, 'main.c'), randomBytes(4096));
}

function writeLarge(directory: string): string {
  mkdirSync(directory);
  writeFileSync(join(directory, 'Dockerfile'), `FROM ${starterImage}\nCOPY . /data\n`);
  for (let file = 0; file < largeFiles; file++)
    writeFileSync(join(directory, `${file}.bin`), randomBytes(largeFileBytes));
  return directory;
}

function build(engine: Engine, context: string): void {
  docker(engine, 'build', '--quiet', '--tag', 'bench/built', context);
}

function prune(engine: Engine): void {
  docker(engine, 'image', 'rm', '--force', 'bench/built');
  docker(engine, 'builder', 'prune', '--all', '--force');
}

function docker({ name, socket }: Engine, ...words: string[]): void {
  const { status, stderr } = spawnSync('docker', ['-H', `unix://${socket}`, ...words], {
    encoding: 'utf8',
    env: { ...process.env, BUILDX_NO_DEFAULT_ATTESTATIONS: '1' },
  });
  if (status !== 0) throw new Error(`${name}: docker ${words.join(' ')} failed: ${stderr}`);
}
