/** `scripts/noisy [--engines corten,corten-disk,dockerd] [--seconds N] [--rounds N] [--json FILE] [--over-others] [NAME…]` */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release, setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { type Contestant, startContestant, variants } from './contestant.ts';
import { machineIsShort } from './room.ts';
import { pooled, type Row, table } from './table.ts';

/** By name in noise.c. `all` is every one of them at once. */
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
refuseUnknown(chosen, all);
refuseUnknown(values.engines.split(','), Object.keys(variants));
const short = machineIsShort();
if (short !== undefined) {
  console.error(`noisy: too little left for this: ${short}`);
  process.exit(1);
}

const contestants: Contestant[] = [];
const rows: Row[] = [];
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    await stopAll();
    process.exit(1);
  });
try {
  for (const name of values.engines.split(','))
    contestants.push(await startContestant(name, values['over-others']));
  // What watches over the real machine must not wait for the noise.
  setPriority(-15);
  // Taking turns, so that a slow minute of the machine falls on all of them alike.
  for (let round = 1; round <= Number(values.rounds); round++)
    for (const noise of chosen)
      for (const contestant of contestants) {
        const load = loadavg()[0]?.toFixed(1);
        console.error(`noisy: round ${round}, ${noise} on ${contestant.name}, load ${load}`);
        const names = noise === 'all' ? noises : [noise];
        rows.push(await contestant.endure(noise, names, Number(values.seconds)));
        keep();
      }
} finally {
  await stopAll();
}
console.log(table(pooled(rows)));

async function stopAll(): Promise<void> {
  for (const contestant of contestants) await contestant.stop();
}

function keep(): void {
  const machine = { cpus: cpus().length, kernel: release(), load: loadavg() };
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
}

function refuseUnknown(names: string[], known: string[]): void {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  console.error(`unknown: ${unknown.join(', ')}; there are ${known.join(', ')}`);
  process.exit(2);
}
