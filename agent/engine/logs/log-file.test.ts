import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { patienceMs } from '../../e2e/patience.ts';
import { listSegments, segmentPath } from './log-file.ts';
import { followOutput } from './log-follow.ts';
import { type ReadLogOptions, readLog } from './log-lines.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'corten-log-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function record(text: string, { seconds = 0, stream = 1 } = {}): Buffer {
  const data = Buffer.from(text);
  const header = Buffer.alloc(16);
  header.writeBigUInt64LE(BigInt(seconds) * 1_000_000_000n + 5n, 0);
  header.writeUInt32LE(data.length, 8);
  header.writeUInt8(stream, 12);
  header.writeUInt16LE(0x4c43, 14);
  return Buffer.concat([header, data]);
}

function write(segment: number, ...records: Buffer[]): void {
  appendFileSync(segmentPath(directory, segment), Buffer.concat(records));
}

async function logged(options: Partial<ReadLogOptions> = {}): Promise<string[]> {
  const signal = AbortSignal.timeout(patienceMs);
  const found: string[] = [];
  for await (const line of readLog(directory, { stdout: true, stderr: true, signal, ...options }))
    found.push(line.data.toString());
  return found;
}

test('chunks become lines, across records and segments, each stream by itself', async () => {
  write(1, record('one\ntw'), record('err', { stream: 2 }), record('o\n'));
  write(2, record('or\n', { stream: 2 }), record('no newline'));
  assert.deepEqual(await logged(), ['one\n', 'two\n', 'error\n', 'no newline']);
  assert.deepEqual(await logged({ stdout: false }), ['error\n']);
});

test('a tail counts the lines of the wanted streams only', async () => {
  write(1, record('a\nb\n'), record('x\n', { stream: 2 }), record('c\n'));
  assert.deepEqual(await logged({ tail: 2 }), ['x\n', 'c\n']);
  assert.deepEqual(await logged({ tail: 2, stderr: false }), ['b\n', 'c\n']);
  assert.deepEqual(await logged({ tail: 0 }), []);
});

test('what a busy container writes meanwhile is left out, unless it is followed', async () => {
  for (const [options, expected] of [
    [{}, ['a\n', 'b\n', 'c\n']],
    [{ tail: 1 }, ['c\n']],
  ] as const) {
    rmSync(segmentPath(directory, 1), { force: true });
    rmSync(segmentPath(directory, 2), { force: true });
    write(1, record('a\nb\nc\n'));
    const found: string[] = [];
    const signal = AbortSignal.timeout(patienceMs);
    for await (const { data } of readLog(directory, {
      ...{ stdout: true, stderr: true, signal },
      ...options,
    })) {
      found.push(data.toString());
      if (found.length > 20) break;
      write(1, record('later\n'));
      write(2, record('and later\n'));
    }
    assert.deepEqual(found, expected);
  }
});

test('since and until cut by time, with nanoseconds kept', async () => {
  write(1, ...[1, 2, 3, 4].map((seconds) => record(`${seconds}\n`, { seconds })));
  assert.deepEqual(await logged({ since: new Date(2000), until: new Date(3000) }), ['2\n', '3\n']);
  for await (const line of readLog(directory, {
    stdout: true,
    stderr: true,
    signal: AbortSignal.timeout(patienceMs),
  }))
    assert.equal(line.nanos, 5);
});

test('a very long line comes in pieces that add up', async () => {
  const long = 'y'.repeat(40_000);
  write(1, record(long), record('\nend\n'));
  const found = await logged();
  assert.equal(found.join(''), `${long}\nend\n`);
  assert.ok(found.every((piece) => piece.length <= 16_384));
});

test('a torn record is waited for, and left out when it never comes', async () => {
  const whole = record('late\n');
  write(1, record('first\n'), whole.subarray(0, 18));
  assert.deepEqual(await logged(), ['first\n']);
  write(1, whole.subarray(18));
  assert.deepEqual(await logged(), ['first\n', 'late\n']);
});

test('damage ends one segment, not the log', async () => {
  write(1, record('good\n'), Buffer.alloc(64, 0xff));
  write(2, record('after\n'));
  assert.deepEqual(await logged(), ['good\n', 'after\n']);
});

test('following sees every chunk across rotation and ends with the container', async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  write(1, record('0'));
  const seen: string[] = [];
  const follower = (async () => {
    for await (const { data } of followOutput(directory, { from: 'start', ended }))
      seen.push(data.toString());
  })();
  for (let index = 1; index <= 200; index++) {
    write(1 + Math.floor(index / 20), record(`,${index}`));
    if (index % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  end();
  await follower;
  assert.equal(seen.join(''), Array.from({ length: 201 }, (_, index) => index).join(','));
});

test('following from the end leaves out what was there', async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  write(1, record('old'));
  const output = followOutput(directory, { from: 'end', ended })[Symbol.asyncIterator]();
  const first = output.next();
  await new Promise((resolve) => setTimeout(resolve, 20));
  write(1, record('new'));
  assert.equal((await first).value?.data.toString(), 'new');
  end();
  assert.equal((await output.next()).done, true);
});

test('a reader that fell behind goes on with the oldest segment that is left', async () => {
  write(1, record('a'));
  write(2, record('b'));
  write(4, record('d'));
  unlinkSync(segmentPath(directory, 1));
  assert.deepEqual(listSegments(directory), [2, 4]);
  assert.deepEqual(await logged(), ['bd']);
});

test('aborting ends a follower', async () => {
  const abort = new AbortController();
  const output = followOutput(directory, {
    from: 'start',
    ended: new Promise(() => {}),
    signal: abort.signal,
  })[Symbol.asyncIterator]();
  const next = output.next();
  abort.abort();
  assert.equal((await next).done, true);
});
