/** The fuzzer of plans builds with all that the shim is made of, and walks its seeds: scripts/shim-check is run by hand. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

const source = join(import.meta.dirname, 'plan-fuzz.c');
const makeSeeds = join(import.meta.dirname, '../../devtools/shim-check/fuzz-seeds.ts');

let directory: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'corten-fuzz-'));
});
after(() => {
  rmSync(directory, { recursive: true, force: true });
});

test('the fuzzer builds, and its seeds are walked to the end', () => {
  const replay = join(directory, 'replay');
  const flags = ['-g', '-O1', '-std=gnu11', '-Wno-unused-function', '-DREPLAY'];
  execFileSync('gcc', [...flags, source, '-o', replay], { stdio: ['ignore', 'ignore', 'pipe'] });
  const seeds = join(directory, 'seeds');
  mkdirSync(seeds);
  execFileSync(process.execPath, [makeSeeds, seeds]);
  const paths = readdirSync(seeds).map((name) => join(seeds, name));
  assert.ok(paths.length > 50, `${String(paths.length)} seeds`);
  const { status, signal, stderr } = spawnSync(replay, paths, { encoding: 'utf8' });
  assert.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: '' });
});
