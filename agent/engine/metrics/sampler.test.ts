/** The sampler on a temporary directory that poses as a v2 group. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Cgroup } from '../../cgroup/cgroup.ts';
import { createV2Driver } from '../../cgroup/v2.ts';
import { nothingUsed, type Usage } from '../../contract/limits.ts';
import type { LimitEvent } from '../../contract/pressure.ts';
import { until } from '../../e2e/until.ts';
import type { CpuPriorityChange } from '../cpu-priority/cpu-priorities.ts';
import { Sampler, type SamplerOptions } from './sampler.ts';

function bench(t: TestContext, options: Partial<SamplerOptions> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'corten-sampler-'));
  writeFileSync(join(root, 'cgroup.controllers'), 'cpu memory pids io\n');
  const told: LimitEvent[] = [];
  const contentions: boolean[] = [];
  const sampler = new Sampler({
    cgroupVersion: 2,
    kernelLog: { records: async function* () {}, close() {} },
    onEvent: (_, event) => told.push(event),
    onContention: (isContended) => contentions.push(isContended),
    report: (what, error) => assert.fail(`${what}: ${error}`),
    ...options,
  });
  t.after(() => {
    sampler.close();
    rmSync(root, { recursive: true });
  });
  const group = createV2Driver(root, 'corten-a', { attachDevices: () => {} }).create('web', {}, []);
  const put = (files: Record<string, string>) => {
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(root, 'corten-a/web', name), text);
  };
  put({
    'cpu.stat': 'usage_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n',
    'memory.current': '8192\n',
    'memory.max': '16384\n',
    'memory.events': 'max 0\noom_kill 0\n',
    'pids.current': '3\n',
    'pids.max': 'max\n',
    'pids.events': 'max 0\n',
    'cpu.pressure': 'some avg10=0 total=0\nfull avg10=0 total=0\n',
    'memory.pressure': 'some avg10=0 total=0\nfull avg10=0 total=0\n',
    'io.pressure': 'some avg10=0 total=0\nfull avg10=0 total=0\n',
  });
  return { root, sampler, group, put, told, contentions };
}

/** A group whose use is what `usage` says. */
function posing(group: Cgroup, usage: () => Partial<Usage>): Cgroup {
  const meter = () => ({ read: () => ({ ...nothingUsed, ...usage() }), close() {} });
  return Object.create(group, { meter: { value: meter } });
}

function openBelow(directory: string): number {
  return readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(directory);
    } catch {
      // The descriptor that readdir used.
      return false;
    }
  }).length;
}

test('from the start to the removal: samples, pressure, events, and nothing left open', async (t) => {
  const { root, sampler, group, put, told } = bench(t);
  sampler.begin('web', group, new Date());
  assert.equal(openBelow(root), 0, 'nothing is opened before the first second');
  await sampler.nextTick();
  const first = sampler.find('web')?.latest;
  assert.deepEqual(first?.memory, {
    usedBytes: 8192,
    swapBytes: 0,
    limitBytes: 16_384,
    limitHits: 0,
  });
  assert.ok(openBelow(root) > 5);
  put({
    'cpu.stat': 'usage_usec 600000\nnr_periods 10\nnr_throttled 7\nthrottled_usec 5000\n',
    'memory.pressure': 'some avg10=0 total=100000\nfull avg10=0 total=0\n',
    'pids.events': 'max 12\n',
  });
  await sampler.nextTick();
  const second = sampler.find('web')?.latest;
  assert.deepEqual(
    [second?.cpu.usedMicros, second?.cpu.throttledPeriods, second?.pids.refusals],
    [600_000, 7, 12],
  );
  assert.ok((second?.stall?.memory.some ?? 0) > 0);
  assert.deepEqual(
    told.map(({ kind, count }) => [kind, count]),
    [['pids-full', 12]],
  );
  put({ 'pids.events': 'max 13\n' });
  await sampler.end('web', group.oomKills());
  assert.equal(sampler.find('web')?.ring?.sums().pidsRefusals, 13, 'the end is read, too');
  assert.equal(openBelow(root), 0);
  assert.equal(sampler.usage('web'), undefined);
  sampler.forget('web');
  assert.equal(sampler.find('web'), undefined);
});

test('one that ends within its first second leaves nothing, unless it was killed for memory', async (t) => {
  const { sampler, group, put, told } = bench(t);
  sampler.begin('web', group, new Date());
  await sampler.end('web', group.oomKills());
  assert.equal(sampler.find('web'), undefined);
  sampler.begin('web', group, new Date());
  put({ 'memory.events': 'max 0\noom_kill 1\n' });
  await sampler.end('web', group.oomKills());
  assert.deepEqual(
    told.map(({ kind, process, unknown }) => [kind, process, unknown]),
    [['oom-kill', undefined, "the kernel's log does not tell of it"]],
  );
  assert.equal(sampler.find('web')?.ring?.sums().oomKills, 1);
});

test('a container that an agent before us started is counted from now on', async (t) => {
  const { sampler, group, put } = bench(t);
  put({ 'cpu.stat': 'usage_usec 9000000000\n', 'memory.events': 'max 4\noom_kill 3\n' });
  sampler.begin('web', group, new Date(Date.now() - 3_600_000));
  await sampler.nextTick();
  assert.equal(sampler.find('web')?.latest, undefined);
  put({ 'cpu.stat': 'usage_usec 9000000500\n' });
  await sampler.nextTick();
  const { latest } = sampler.find('web') ?? {};
  assert.deepEqual([latest?.cpu.usedMicros, latest?.oomKills], [500, 0]);
});

test('contention is told each second, and once that there is none when the last container has ended', async (t) => {
  const contention = { check: (running: number) => running === 2 };
  const { sampler, group, contentions } = bench(t, { contention });
  sampler.begin('web', group, new Date());
  sampler.begin('other', group, new Date());
  await sampler.nextTick();
  await sampler.end('other', group.oomKills());
  await sampler.nextTick();
  await sampler.end('web', group.oomKills());
  await until(() => contentions.length === 3);
  assert.deepEqual(contentions, [true, false, false]);
});

test('a container that uses little is boosted while they contend, and a fork bomb throttled', async (t) => {
  let isContended = true;
  const contention = { check: () => isContended };
  const told: string[] = [];
  const applyCpuPriority = (id: string, { before, now }: CpuPriorityChange) =>
    told.push(before === now ? `${id} still ${now}` : `${id} ${now}`);
  const { sampler, group } = bench(t, { contention, applyCpuPriority });
  let refusals = 0;
  let seconds = 0;
  const cpu = (perSecond: number) => ({
    ...nothingUsed.cpu,
    totalNanos: 1e9 * perSecond * seconds,
  });
  const web = posing(group, () => ({ cpu: cpu(0.05) }));
  const hog = posing(group, () => ({
    cpu: cpu(0.8),
    pids: { ...nothingUsed.pids, refusals },
  }));
  const round = async () => {
    seconds++;
    await sampler.nextTick();
    return told.splice(0);
  };
  // The first round is the first reading of containers that began before this process.
  const longAgo = new Date(Date.now() - 3_600_000);
  sampler.begin('web', web, longAgo);
  sampler.begin('hog', hog, longAgo);
  assert.deepEqual(await round(), []);
  assert.deepEqual(await round(), ['web boosted']);
  assert.deepEqual(await round(), ['web still boosted']);
  refusals = 1000;
  assert.deepEqual(await round(), ['web still boosted', 'hog throttled']);
  isContended = false;
  assert.deepEqual(await round(), ['web normal', 'hog still throttled']);
  sampler.stopping('hog');
  assert.deepEqual(told.splice(0), ['hog normal']);
  assert.deepEqual(await round(), []);
});

test('one that cannot be read is told of once until it can, and the others go on', async (t) => {
  const reports: string[] = [];
  const report = (what: string, error: unknown) => reports.push(`${what}: ${error}`);
  const { sampler, group } = bench(t, { report });
  let isTorn = true;
  const meter = () => {
    const { read, close } = group.meter();
    return {
      read() {
        if (isTorn) throw new Error('torn');
        return read();
      },
      close,
    };
  };
  sampler.begin('web', Object.create(group, { meter: { value: meter } }), new Date());
  sampler.begin('other', group, new Date());
  for (let second = 0; second < 3; second++) await sampler.nextTick();
  assert.deepEqual(reports, ['sample container web: Error: torn']);
  assert.ok(sampler.find('other')?.latest);
  isTorn = false;
  await sampler.nextTick();
  assert.ok(sampler.find('web')?.latest);
  isTorn = true;
  await sampler.nextTick();
  assert.equal(reports.length, 2, 'it had gone well meanwhile');
});
