/** `scripts/attack`, whose --help describes the options; exits 1 where Corten is weaker. */
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { parseArgs } from 'node:util';
import { type Engine, engineNames, startEngines } from '../peers/engines.ts';
import { refuseUnknown } from '../refuse-unknown.ts';
import { compare, type Finding, type Row } from './finding.ts';
import { groups } from './groups.ts';
import { reviewed } from './reviewed.ts';
import { counts, table } from './table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    engines: { type: 'string', default: 'corten,dockerd' },
    json: { type: 'string' },
    all: { type: 'boolean', default: false },
    'without-root': { type: 'boolean', default: false },
  },
});
// `--only a b` means the same as `--only a --only b`.
const chosen = [...(values.only ?? []), ...positionals];
refuseUnknown('attack', chosen, Object.keys(groups));
refuseUnknown('engine', values.engines.split(','), engineNames);

const engines = await startEngines('attack', {
  only: values.engines.split(','),
  quiet: true,
  withoutRoot: values['without-root'],
});
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    for (const engine of engines) await engine.stop();
    process.exit(1);
  });
const rows: Row[] = [];
try {
  for (const [name, attack] of Object.entries(groups)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    const found = new Map<string, Finding[]>();
    // One engine after the other, so that they do not slow each other's races down.
    for (const engine of engines) found.set(engine.name, await attackOne(name, attack, engine));
    const compared = compare(found.get('corten'), found.get('dockerd'));
    rows.push(
      ...compared.map((row): Row => {
        const withoutRoot = values['without-root'];
        const isMeant = row.verdict === 'WEAKER' && reviewed(row, { withoutRoot });
        return isMeant ? { ...row, verdict: 'reviewed' } : row;
      }),
    );
  }
} finally {
  for (const engine of engines) await engine.stop();
}
console.log(table(rows, values.all));
console.log(counts(rows));
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ kernel: release(), rows }, null, 2)}\n`);
process.exit(rows.some(({ verdict }) => verdict === 'WEAKER') ? 1 : 0);

async function attackOne(
  name: string,
  attack: (engine: Engine) => Promise<Finding[]>,
  engine: Engine,
): Promise<Finding[]> {
  console.error(`attack: ${name} on ${engine.name}`);
  try {
    return await attack(engine);
  } catch (error) {
    throw new Error(`${name} on ${engine.name} could not be tried`, { cause: error });
  }
}
