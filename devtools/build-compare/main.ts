/** `scripts/build-compare`, whose --help describes the options. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Engine, startEngines } from '../peers/engines.ts';
import { refuseUnknown } from '../refuse-unknown.ts';
import { type BuildCase, cases } from './cases.data.ts';
import { configOf, type Described, filesOf } from './image-files.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { classic: { type: 'boolean', default: false } },
});
refuseUnknown(
  'case',
  positionals,
  cases.map(({ name }) => name),
);
const chosen = cases.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const contexts = mkdtempSync(join(tmpdir(), 'corten-build-compare-'));
const engines = await startEngines('build', { only: ['corten', 'dockerd'] });
let different = 0;
try {
  for (const each of chosen) {
    const context = writeContext(each);
    const outcomes = engines.map((engine) => build(engine, each, context));
    const differences = await compare(each, outcomes);
    console.log(`${differences.length === 0 ? '✔' : '✖'} ${each.name}`);
    for (const line of differences) console.log(`    ${line}`);
    if (differences.length > 0) different++;
  }
} finally {
  for (const engine of engines) await engine.stop();
  rmSync(contexts, { recursive: true });
}
console.log(`${chosen.length - different} the same, ${different} different`);
process.exit(different === 0 ? 0 : 1);

function writeContext({ name, dockerfile, files = {} }: BuildCase): string {
  const context = join(contexts, name);
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  for (const [path, entry] of Object.entries(files)) {
    const target = join(context, path);
    mkdirSync(dirname(target), { recursive: true });
    if (typeof entry === 'string') writeFileSync(target, entry);
    else if ('link' in entry) symlinkSync(entry.link, target);
    else if ('directory' in entry) mkdirSync(target, { mode: entry.mode ?? 0o755 });
    else if (path.endsWith('.tar')) writeArchive(target);
    else writeFileSync(target, entry.text, { mode: entry.mode });
  }
  return context;
}

/** With a file, a directory, a link and an owner of its own. */
function writeArchive(path: string): void {
  const source = mkdtempSync(join(contexts, 'archive-'));
  mkdirSync(join(source, 'in'));
  writeFileSync(join(source, 'in/file'), 'archived\n', { mode: 0o600 });
  symlinkSync('file', join(source, 'in/link'));
  spawnSync('tar', ['-C', source, '--owner=77', '--group=88', '-cf', path, 'in']);
}

interface Outcome {
  engine: Engine;
  tag: string;
  status: number | null;
  output: string;
}

function build(engine: Engine, { name, args = [] }: BuildCase, context: string): Outcome {
  const tag = `compare:${name}`;
  const { status, stdout, stderr } = spawnSync(
    'docker',
    ['-H', `unix://${engine.socket}`, 'build', '--progress=plain', '-t', tag, ...args, '.'],
    {
      cwd: context,
      encoding: 'utf8',
      timeout: 120_000,
      env: {
        ...process.env,
        DOCKER_BUILDKIT: values.classic ? '0' : '1',
        // No files of the person who runs this, and no provenance, which dockerd's store cannot hold.
        DOCKER_CONFIG: join(contexts, '.docker'),
        BUILDX_NO_DEFAULT_ATTESTATIONS: '1',
      },
    },
  );
  return { engine, tag, status, output: `${stdout}\n${stderr}` };
}

async function compare({ fails }: BuildCase, outcomes: Outcome[]): Promise<string[]> {
  const unexpected = outcomes.filter(({ status }) => (status === 0) !== (fails === undefined));
  if (unexpected.length > 0)
    return unexpected.map(
      ({ engine, status, output }) => `${engine.name} ended with ${status}: ${lastLines(output)}`,
    );
  if (fails !== undefined)
    return outcomes
      .filter(({ output }) => !output.includes(fails))
      .map(({ engine, output }) => `${engine.name} does not say "${fails}": ${lastLines(output)}`);
  const [ours, theirs] = await Promise.all(
    outcomes.map(async ({ engine, tag }) => ({
      name: engine.name,
      files: await filesOf(engine.socket, tag),
      config: configOf(engine.socket, tag),
    })),
  );
  if (ours === undefined || theirs === undefined) return ['there is nothing to compare with'];
  return [...differences(ours.files, theirs.files), ...differences(ours.config, theirs.config)];
}

function differences(ours: Described, theirs: Described): string[] {
  const names = [...new Set([...ours.keys(), ...theirs.keys()])].sort();
  return names
    .filter((name) => ours.get(name) !== theirs.get(name))
    .map(
      (name) =>
        `${name}: ${ours.get(name) ?? 'missing'} (dockerd: ${theirs.get(name) ?? 'missing'})`,
    );
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-4).join(' / ');
}
