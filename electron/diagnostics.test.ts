import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

test('scripts/diagnostics asks the engine that runs, or tells of one that does not', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-diagnostics-'));
  const run = join(directory, 'run');
  const output = join(directory, 'out.tar.gz');
  mkdirSync(run);
  writeFileSync(join(run, 'agent.log'), 'corten: start: password=planted-word\n');
  const script = resolve(import.meta.dirname, '../scripts/diagnostics');
  const server = createServer((_request, response) => response.end('{"Version":"7"}'));
  try {
    await new Promise<void>((done) => server.listen(join(run, 'docker.sock'), done));
    const words = ['--root', directory, '--run', run, output];
    const { stdout } = await promisify(execFile)(script, words);
    assert.match(stdout, /engine-version\.json/);
    assert.match(stdout, /agent\.log/);
    assert.equal(statSync(output).mode & 0o777, 0o600);
    const inside = execFileSync('tar', ['-xzOf', output], { encoding: 'utf8' });
    assert.match(inside, /"Version": "7"/);
    assert.ok(!inside.includes('planted-word'));
    server.close();
    server.closeAllConnections();
    const without = await promisify(execFile)(script, words);
    assert.doesNotMatch(without.stdout, /engine-version/);
    assert.ok(readFileSync(output).length > 0);
  } finally {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
