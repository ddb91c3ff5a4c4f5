/** scripts/vm-image builds when something is another, and nothing otherwise; here with a builder that only counts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';

const base = mkdtempSync(join(tmpdir(), 'corten-command-'));
after(() => rmSync(base, { recursive: true }));

function file(path: string, content: string): void {
  mkdirSync(dirname(join(base, path)), { recursive: true });
  writeFileSync(join(base, path), content, { mode: 0o755 });
}

const manifest = 'dist/vm-image/amd64/manifest.json';
const made = (...names: string[]) =>
  JSON.stringify({ files: Object.fromEntries(names.map((name) => [name, {}])) });

file('scripts/setup', '#!/bin/sh\n');
for (const path of ['starter-image', 'build-shim', 'build-relay'].map((name) => `scripts/${name}`))
  file(path, '');
file('package-lock.json', '');
file('packaging/recipe/debian.ts', '');
for (const path of ['agent/shim/shim.c', 'dist/agent/main.js', 'packaging/vm-image/build.ts'])
  file(path, '');
file('one', made('root.erofs'));
file('released', made('root.erofs', 'root.erofs.zst'));
file(
  'node_modules/.bin/node',
  `#!/bin/sh
echo "$*" >>builds
mkdir -p dist/vm-image/amd64
case $* in *--release*) cp released ${manifest} ;; *) cp one ${manifest} ;; esac
`,
);
for (const path of ['scripts/vm-image', 'scripts/usage.sh'])
  cpSync(join(import.meta.dirname, '../..', path), join(base, path));

/** How many builds it took. */
function run(...words: string[]): number {
  writeFileSync(join(base, 'builds'), '');
  execFileSync(join(base, 'scripts/vm-image'), ['--arch', 'amd64', ...words]);
  return readFileSync(join(base, 'builds'), 'utf8').split('\n').length - 1;
}

test('what is there is not built again, what has changed is', () => {
  assert.equal(run(), 1);
  assert.equal(run(), 0);
  file('packaging/vm-image/build.ts', 'changed');
  assert.equal(run(), 1);
  file('packaging/recipe/debian.ts', 'changed');
  assert.equal(run(), 1);
});

test('a release is there only with what it is sent as, whoever has built since', () => {
  assert.equal(run('--release'), 1);
  assert.equal(run('--release'), 0);
  // As scripts/setup does for tests.
  file(manifest, made('root.erofs'));
  assert.equal(run('--release'), 1);
});
