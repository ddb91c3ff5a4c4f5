/** `scripts/noisy`, whose --help describes the options. */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release, setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { refuseUnknown } from '../refuse-unknown.ts';
import { hostShortage } from './confinement.ts';
import { type EngineUnderTest, startEngineUnderTest, variants } from './engine-under-test.ts';
import { mergeRounds, type Row, table } from './table.ts';

/** The names that noise.c takes. `all` runs every one of them at the same time. */
const noises = ['forks', 'memory', 'disk', 'io', 'cpu', 'logs', 'connections', 'files', 'inodes'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engines: { type: 'string', default: Object.keys(variants).join(',') },
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '1' },
    json: { type: 'string' },
    'over-others': { type: 'boolean', default: false },
  },
});
const all = [...noises, 'all'];
const chosen = positionals.length > 0 ? positionals : all;
refuseUnknown('noise', chosen, all);
refuseUnknown('engine', values.engines.split(','), Object.keys(variants));
const short = hostShortage();
if (short !== undefined) {
  console.error(`noisy: the host has too little left: ${short}`);
  process.exit(1);
}

const engines: EngineUnderTest[] = [];
const rows: Row[] = [];
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    await stopAll();
    process.exit(1);
  });
try {
  for (const name of values.engines.split(','))
    engines.push(await startEngineUnderTest(name, values['over-others']));
  // The check for shortage on the host must run in time beside the noise.
  setPriority(-15);
  // The engines take turns, so that a slow minute of the host affects all of them alike.
  for (let round = 1; round <= Number(values.rounds); round++)
    for (const noise of chosen)
      for (const engine of engines) {
        const load = loadavg()[0]?.toFixed(1);
        console.error(`noisy: round ${round}, ${noise} on ${engine.name}, load ${load}`);
        const names = noise === 'all' ? noises : [noise];
        rows.push(await engine.measureNoise(noise, names, Number(values.seconds)));
        keep();
      }
} finally {
  await stopAll();
}
console.log(table(mergeRounds(rows)));

async function stopAll(): Promise<void> {
  for (const engine of engines) await engine.stop();
}

function keep(): void {
  const machine = { cpus: cpus().length, kernel: release(), load: loadavg() };
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
}
