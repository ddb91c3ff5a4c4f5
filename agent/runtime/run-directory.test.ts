import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { parseStat } from '../kernel/process-stat.ts';
import { isSameProcess, readExit, readPids } from './run-directory.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-runtime-'));
after(() => rmSync(directory, { recursive: true }));

test('an exit record', () => {
  writeFileSync(join(directory, 'exit'), '137 9 1764000000123456789\n');
  assert.deepEqual(readExit(directory), {
    exitCode: 137,
    signal: 9,
    finishedAt: new Date(1_764_000_000_123),
  });
  writeFileSync(join(directory, 'exit'), '0 0 1764000000123456789\n');
  assert.equal(readExit(directory)?.signal, undefined);
});

test('a file without its content, or half of it, is no record', () => {
  for (const text of ['', '\0\0\0\0', '137 9', 'x y z']) {
    writeFileSync(join(directory, 'exit'), text);
    assert.equal(readExit(directory), undefined, JSON.stringify(text));
  }
});

test('pids', () => {
  assert.equal(readPids(join(directory, 'missing')), undefined);
  writeFileSync(join(directory, 'pids'), '10 111 11 222\n');
  const { shimPid, shimStartTime, childPid, childStartTime } = readPids(directory)!;
  assert.deepEqual([shimPid, shimStartTime, childPid, childStartTime], [10, 111n, 11, 222n]);
});

test('pids that are taken away while they are read', async () => {
  const path = mkdtempSync(join(directory, 'swap-'));
  const swapping = `
    const { renameSync, unlinkSync, writeFileSync } = require('node:fs');
    const [file] = require('node:worker_threads').workerData;
    for (let i = 0; i < 1_000; i++) {
      writeFileSync(file + '.tmp', '10 111 11 222\\n');
      renameSync(file + '.tmp', file);
      unlinkSync(file);
    }`;
  const worker = new Worker(swapping, { eval: true, workerData: [join(path, 'pids')] });
  let goesOn = true;
  const ended = once(worker, 'exit').finally(() => {
    goesOn = false;
  });
  let found = 0;
  while (goesOn) {
    if (readPids(path)?.childPid === 11) found++;
    await setImmediate();
  }
  await ended;
  assert.ok(found > 0);
});

test('a process is told from another one by its start time', () => {
  const own = parseStat(readFileSync('/proc/self/stat', 'utf8'))!.startTicks;
  assert.equal(isSameProcess(process.pid, own), true);
  assert.equal(isSameProcess(process.pid, own + 1n), false);
  assert.equal(isSameProcess(2 ** 22 + 1, own), false);
});
