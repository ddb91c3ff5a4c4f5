/** `scripts/bench`, whose --help describes the options. */
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { type Engine, engineNames, startEngines } from '../peers/engines.ts';
import { refuseUnknown } from '../refuse-unknown.ts';
import { benchBuild } from './build.ts';
import { benchExec } from './exec.ts';
import { benchFolders } from './folders.ts';
import { type Result, table } from './measure.ts';
import { benchMemory } from './memory.ts';
import { benchParallel } from './parallel.ts';
import { benchPull } from './pull.ts';
import { benchStart } from './start.ts';

const benchmarks: Record<string, (engines: Engine[], runs: number) => Promise<Result[]>> = {
  // Memory comes first, since an engine that has worked keeps more of it than a fresh one.
  memory: benchMemory,
  start: benchStart,
  exec: benchExec,
  parallel: benchParallel,
  pull: benchPull,
  build: benchBuild,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '30' },
    engines: { type: 'string' },
    json: { type: 'string' },
  },
});
refuseUnknown('benchmark', positionals, [...Object.keys(benchmarks), 'folders']);
refuseUnknown('engine', values.engines?.split(',') ?? [], engineNames);

const results: Result[] = [];
// The folder benchmark compares no engines, so it runs before any of them is started.
if (positionals.length === 0 || positionals.includes('folders'))
  for await (const result of benchFolders(Number(values.runs))) tell(result);
keep(results);
if (positionals.length === 1 && positionals[0] === 'folders') process.exit();

const engines = await startEngines('bench', { only: values.engines?.split(',') });
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    for (const engine of engines) await engine.stop();
    process.exit(1);
  });
try {
  for (const [name, benchmark] of Object.entries(benchmarks)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    for (const result of await benchmark(engines, Number(values.runs))) tell(result);
    keep(results);
  }
} finally {
  for (const engine of engines) await engine.stop();
}

function tell(result: Result): void {
  results.push(result);
  console.log(table(result));
}

/** Called after each benchmark, so that a run that is interrupted keeps its results. */
function keep(results: Result[]): void {
  const machine = { cpus: cpus().length, memoryBytes: totalmem(), kernel: release() };
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ machine, results }, null, 2)}\n`);
}
