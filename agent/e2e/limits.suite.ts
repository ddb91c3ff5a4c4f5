/** Each limit against a program that tries to exceed it, beside a neighbour that must not suffer; for any agent. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, type DockerCli, dockerCli, eventually } from './agent-process.ts';

export interface LimitedAgent {
  socket: string;
  /** The block device under its state, where that is a real one. */
  device: string | undefined;
  discard(): Promise<void>;
}

const image = 'corten/starter';
let agent: LimitedAgent;
let docker: DockerCli;

export function limitsSuite(start: () => Promise<LimitedAgent>): void {
  describe('limits', () => {
    before(async () => {
      agent = await start();
      docker = dockerCli(agent.socket);
    });
    after(() => agent?.discard());
    test('CPU quota: a busy loop gets its tenth, and is seen to be throttled', async () => {
      await run('looper', ['--cpus', '0.1'], busy);
      // The clock is read around the counters: a wait between the two never makes a share too high.
      const begin = process.hrtime.bigint();
      const first = await stats('looper');
      await sleep(2_000);
      const [last, end] = [await stats('looper'), process.hrtime.bigint()];
      const share = usedBetween(first, last) / Number(end - begin);
      assert.ok(share < 0.2, `a quota of 0.1 CPU used ${share.toFixed(2)}`);
      // Beside other work it may take a while until the loop gets as much as its quota.
      await eventually(async () => {
        const { cpu_stats } = await stats('looper');
        assert.ok(cpu_stats.throttling_data.throttled_periods > 0);
      });
      await output('update', '--cpus', '1', 'looper');
      const raised = await stats('looper');
      let after = raised;
      await eventually(async () => {
        after = await stats('looper');
        assert.ok(usedBetween(raised, after) > 100e6);
      });
      // With the old quota it would have waited nine times as long as it ran.
      const waited =
        after.cpu_stats.throttling_data.throttled_time -
        raised.cpu_stats.throttling_data.throttled_time;
      assert.ok(
        waited < usedBetween(raised, after),
        `under a raised quota it ran ${usedBetween(raised, after)} ns and waited ${waited}`,
      );
      await output('rm', '-f', 'looper');
    });

    test('CPU shares: on one CPU, a neighbour with more shares gets more', async () => {
      await run('small', ['--cpuset-cpus', '0', '--cpu-shares', '128'], busy);
      await run('large', ['--cpuset-cpus', '0', '--cpu-shares', '1024'], busy);
      const begin = await Promise.all(['small', 'large'].map(stats));
      // Over as long as it takes both to have had many turns.
      await eventually(async () => {
        const end = await Promise.all(['small', 'large'].map(stats));
        const [small = 0, large = 0] = end.map((after, index) =>
          usedBetween(begin[index] ?? after, after),
        );
        const said = `8 to 1 in shares gave ${large} to ${small}`;
        assert.ok(large > 200e6 && large > 3 * small, said);
      });
      await output('rm', '-f', 'small', 'large');
    });

    test('CPU set: a container stays on its CPU', async () => {
      await run('pinned', ['--cpuset-cpus', '1'], 'sleep 1000');
      assert.match(
        await output('exec', 'pinned', 'grep', 'Cpus_allowed_list', '/proc/self/status'),
        /\t1$/,
      );
      await output('rm', '-f', 'pinned');
    });

    test('memory: an allocator is killed inside its limit; its neighbour keeps what it had', async () => {
      await run(
        'neighbour',
        ['--memory', '64m'],
        'dd if=/dev/zero of=/dev/shm/kept bs=1M count=16 2>/dev/null; sleep 1000',
      );
      await run(
        'hog',
        ['--memory', '48m', '--memory-swap', '48m'],
        'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done',
      );
      assert.equal(await output('wait', 'hog'), '137');
      assert.equal(await output('inspect', '-f', '{{.State.OOMKilled}}', 'hog'), 'true');
      assert.equal(await output('inspect', '-f', '{{.State.Running}}', 'neighbour'), 'true');
      await eventually(async () =>
        assert.equal(
          await output('exec', 'neighbour', 'wc', '-c', '/dev/shm/kept'),
          `${16 * 1024 * 1024} /dev/shm/kept`,
        ),
      );
      await output('rm', '-f', 'hog', 'neighbour');
    });

    test('memory: a limit below what is used is refused with a sentence, and changes nothing', async () => {
      await run(
        'full',
        ['--memory', '64m', '--memory-swap', '64m'],
        'dd if=/dev/zero of=/dev/shm/held bs=1M count=32 2>/dev/null; sleep 1000',
      );
      await eventually(async () => assert.ok((await stats('full')).memory_stats.usage > 32e6));
      const { code, stderr } = await docker(
        'update',
        '--memory',
        '16m',
        '--memory-swap',
        '16m',
        'full',
      );
      assert.notEqual(code, 0);
      assert.match(stderr, /memory/i);
      assert.equal((await stats('full')).memory_stats.limit, 64 * 1024 * 1024);
      await output('rm', '-f', 'full');
    });

    test('processes: a fork bomb stops at its limit; its neighbour and the agent go on', async () => {
      await run('calm', [], 'sleep 1000');
      await run('bomb', ['--pids-limit', '30'], '(b() { b | b & b; }; b) & exec sleep 1000');
      let most = 0;
      for (let attempt = 0; attempt < 10; attempt++) {
        most = Math.max(most, (await stats('bomb')).pids_stats.current);
        await sleep(100);
      }
      assert.ok(most <= 30, `${most} processes under a limit of 30`);
      assert.equal(await output('exec', 'calm', 'echo', 'still here'), 'still here');
      await output('rm', '-f', 'bomb', 'calm');
    });

    test('io: a writer keeps to its rate; its neighbour does not have one', async (context) => {
      const { device } = agent;
      if (device === undefined)
        return context.skip('the state does not lie on a block device of its own');
      const write =
        'while :; do dd if=/dev/zero of=/out bs=64k count=64 conv=fsync oflag=direct 2>/dev/null; done';
      // Not by the CLI: version 26.1 leaves the rates of devices out of what it sends.
      await post('/containers/create?name=slow', {
        Image: image,
        Cmd: ['sh', '-c', write],
        HostConfig: { BlkioDeviceWriteBps: [{ Path: device, Rate: 1024 * 1024 }] },
      });
      const begin = performance.now();
      await output('start', 'slow');
      await run('fast', [], write);
      await eventually(async () => assert.ok((await written('slow')) > 0));
      await sleep(3_000);
      await eventually(async () => {
        const slow = await written('slow');
        const seconds = (performance.now() - begin) / 1000;
        const fast = await written('fast');
        assert.ok(
          slow < 2 * (seconds + 1) * 1024 * 1024,
          `1 MB/s for ${seconds} s wrote ${slow} bytes`,
        );
        assert.ok(fast > 3 * slow, `the neighbour wrote ${fast} bytes, the limited one ${slow}`);
      });
      await output('rm', '-f', 'slow', 'fast');
    });

    test('null takes a limit away again while the container runs', async () => {
      await run('free', ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '50'], 'sleep 1000');
      const answer = await post('/corten/v1/containers/free/limits', {
        pids: null,
        memory: { maxBytes: null, maxWithSwapBytes: null },
        cpu: { quotaMicros: null },
      });
      assert.equal(answer, 200);
      const { memory_stats: memory } = await stats('free');
      assert.ok(memory.limit > 1024 ** 3, `the memory limit is still ${memory.limit}`);
      await output(
        'exec',
        'free',
        'sh',
        '-c',
        'i=0; while [ $i -lt 80 ]; do sleep 100 >/dev/null 2>&1 & i=$((i+1)); done',
      );
      await output('rm', '-f', 'free');
    });
  });
}

const output = (...words: string[]) => docker.output(...words);

async function run(name: string, limits: string[], line: string): Promise<void> {
  await output(
    'run',
    '-d',
    '--name',
    name,
    '--network',
    'none',
    ...limits,
    image,
    'sh',
    '-c',
    line,
  );
}

interface Stats {
  cpu_stats: {
    cpu_usage: { total_usage: number };
    throttling_data: { throttled_periods: number; throttled_time: number };
  };
  memory_stats: { usage: number; limit: number };
  pids_stats: { current: number; limit: number };
  blkio_stats: { io_service_bytes_recursive: { op: string; value: number }[] | null };
}

async function stats(name: string): Promise<Stats> {
  const path = `/containers/${name}/stats?stream=0&one-shot=1`;
  return (await ask<Stats>(agent.socket, 'GET', path)).body;
}

/** Nanoseconds of processors. */
const usedBetween = ({ cpu_stats: first }: Stats, { cpu_stats: last }: Stats) =>
  last.cpu_usage.total_usage - first.cpu_usage.total_usage;

/** The status of a POST of JSON. */
async function post(path: string, body: unknown): Promise<number> {
  return (await ask(agent.socket, 'POST', path, body)).status;
}

const busy = 'while :; do :; done';

async function written(name: string): Promise<number> {
  const { blkio_stats: io } = await stats(name);
  return (io.io_service_bytes_recursive ?? [])
    .filter(({ op }) => op.toLowerCase() === 'write')
    .reduce((sum, { value }) => sum + value, 0);
}
