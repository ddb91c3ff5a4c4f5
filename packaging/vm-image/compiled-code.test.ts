import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { compiledCode } from './compiled-code.ts';

const repository = join(import.meta.dirname, '../..');
const work = mkdtempSync(join(repository, 'dist/code-test-'));
after(() => rmSync(work, { recursive: true }));

const script = Buffer.from(`(function (exports, require) {
exports.main = async () => exports.start();
exports.start = async () => console.log(require('node:path').basename('/a/b'), [1, 2].map((n) => n * 2).join());
})`);

function run() {
  copyFileSync(join(import.meta.dirname, 'guest/load.js'), join(work, 'guest-main.mjs'));
  writeFileSync(join(work, 'guest-agent.cjs'), script);
  return execFileSync(process.execPath, ['--max-semi-space-size=2', join(work, 'guest-main.mjs')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

test("a machine's Node takes the code that the build compiled, and two builds make the same", () => {
  assert.equal(run(), 'b 2,4\n');
  const code = compiledCode(script, repository);
  assert.deepEqual(compiledCode(script, repository), code);
  writeFileSync(join(work, 'guest-agent.code'), code);
  const told = execFileSync(
    process.execPath,
    [
      '--max-semi-space-size=2',
      '--eval',
      `
      const { Script } = require('vm'), { readFileSync } = require('fs');
      const [text, cachedData] = [readFileSync(process.argv[1], 'latin1'), readFileSync(process.argv[2])];
      console.log(new Script(text, { cachedData }).cachedDataRejected);
    `,
      join(work, 'guest-agent.cjs'),
      join(work, 'guest-agent.code'),
    ],
    { encoding: 'utf8' },
  );
  assert.equal(told, 'false\n');
  assert.equal(run(), 'b 2,4\n');
});

test('code of another script is refused, and the agent runs without it', () => {
  writeFileSync(
    join(work, 'guest-agent.code'),
    compiledCode(Buffer.from(`${script} `), repository),
  );
  assert.equal(run(), 'b 2,4\n');
});
