/** The log's limits against a container that writes without end, changed while it does. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../e2e/until.ts';
import type { RunningProcess } from './runtime.ts';
import { TestBench, testProcess, testSpec } from './testdata/test-container.ts';

const SIGUSR2 = 12;
const SIGKILL = 9;
/** The largest record, which may go into a file that is still empty. */
const recordBytes = 65_536 + 16;

let bench: TestBench;
before(async () => {
  bench = await TestBench.open();
});
after(() => bench.close());

interface Writer {
  running: RunningProcess;
  run: string;
  numbers(): number[];
  bytes(): number;
  /** Waits until it has written so many more files. */
  writes(files: number): Promise<void>;
  end(): Promise<void>;
}

async function writer(
  limits: { maxBytes: number; maxFiles: number },
  script = 'while :; do echo "$(seq 200)"; done',
): Promise<Writer> {
  const { log } = bench.place();
  const { running, run } = await bench.start(testSpec(testProcess(['/bin/sh', '-c', script])), {
    log: { directory: log, ...limits },
  });
  const files = () => readdirSync(log).sort();
  const numbers = () => files().map((name) => Number.parseInt(name, 10));
  return {
    running,
    run,
    numbers,
    bytes: () =>
      files().reduce(
        (sum, name) => sum + (statSync(join(log, name), { throwIfNoEntry: false })?.size ?? 0),
        0,
      ),
    async writes(count) {
      const last = numbers().at(-1) ?? 0;
      await until(() => (numbers().at(-1) ?? 0) >= last + count, `${count} more files`);
    },
    async end() {
      running.signal(SIGKILL);
      await running.exited;
    },
  };
}

test('a log without a limit gets one while it is written, and loses it again', async () => {
  const one = await writer({ maxBytes: 0, maxFiles: 0 });
  const neighbour = await writer({ maxBytes: 0, maxFiles: 0 });
  await until(() => one.bytes() > 500_000, 'it is large');
  const limits = { maxBytes: 20_000, maxFiles: 3 };
  one.running.limitLog(limits);
  // Until the file from before has had its turn.
  await one.writes(4);
  for (let look = 0; look < 20; look++) {
    await one.writes(1);
    // One file may just have been begun, and the oldest not yet be gone.
    assert.ok(one.numbers().length <= limits.maxFiles + 1, String(one.numbers()));
    assert.ok(one.bytes() <= (limits.maxFiles + 1) * (limits.maxBytes + recordBytes));
  }
  assert.deepEqual(neighbour.numbers(), [1]);
  one.running.limitLog({ maxBytes: 0, maxFiles: 0 });
  await until(() => one.bytes() > 500_000, 'it grows beyond');
  await one.end();
  await neighbour.end();
});

test('fewer files: all that are too many go at once', async () => {
  const one = await writer({ maxBytes: 5000, maxFiles: 30 });
  await one.writes(40);
  assert.ok(one.numbers().length >= 29);
  one.running.limitLog({ maxBytes: 100_000_000, maxFiles: 2 });
  await until(() => one.numbers().length === 2, 'two are left');
  await one.end();
});

test('the shim survives what is not two numbers, and keeps what it had', async () => {
  const one = await writer({ maxBytes: 5000, maxFiles: 2 });
  const hostile = ['', 'x', '5', '7 x', '1 99999999999', '-', 'x'.repeat(5000)];
  for (const text of hostile) {
    writeFileSync(join(one.run, 'log'), text);
    process.kill(one.running.shimPid, SIGUSR2);
    await one.writes(3);
    assert.ok(one.numbers().length <= 3, `after "${text.slice(0, 20)}": ${one.numbers()}`);
  }
  await one.end();
});

test('who floods its log has it written when the others leave a processor, and nobody else has', async () => {
  const nicenessOf = (pid: number) => {
    const session = `/proc/${pid}/autogroup`;
    return [
      getPriority(pid),
      existsSync(session) ? / nice (.*)\n/.exec(readFileSync(session, 'utf8'))?.[1] : '19',
    ];
  };
  const calm = await bench.start(
    testSpec(testProcess(['/bin/sh', '-c', 'while :; do echo line; sleep 0.01; done'])),
    { log: { directory: bench.place().log, maxBytes: 0, maxFiles: 0 } },
  );
  const flood = await writer({ maxBytes: 1_000_000, maxFiles: 3 }, 'exec yes a flood of lines');
  const [its, others] = [flood.running.shimPid, calm.running.shimPid];
  await until(() => nicenessOf(its)[0] === 19, `it gives way, and not ${nicenessOf(its)}`);
  assert.deepEqual(nicenessOf(its), [19, '19']);
  assert.equal(nicenessOf(others)[0], Math.max(0, getPriority()));
  await flood.end();
  calm.running.signal(SIGKILL);
  await calm.running.exited;
});
