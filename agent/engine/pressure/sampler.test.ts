/** The sampler on a temporary directory that poses as a v2 group. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Cgroup } from '../../cgroup/cgroup.ts';
import { createV2Driver } from '../../cgroup/v2.ts';
import { nothingUsed, type Usage } from '../../contract/limits.ts';
import type { BlameEvent } from '../../contract/pressure.ts';
import { until } from '../../e2e/until.ts';
import type { Round } from '../../runtime/beat.ts';
import type { Contention } from './contention.ts';
import { Sampler, type SamplerOptions } from './sampler.ts';

function bench(t: TestContext, options: Partial<SamplerOptions> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'corten-sampler-'));
  writeFileSync(join(root, 'cgroup.controllers'), 'cpu memory pids io\n');
  const told: BlameEvent[] = [];
  const rounds: Round[] = [];
  const sampler = new Sampler({
    cgroupVersion: 2,
    kernelLog: { records: async function* () {}, close() {} },
    blame: (_, event) => told.push(event),
    onRound: (round) => rounds.push(round),
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
  return { root, sampler, group, put, told, rounds };
}

/** A group whose use is what `usage` says. */
function posing(group: Cgroup, usage: () => Partial<Usage>): Cgroup {
  const meter = () => ({ read: () => ({ ...nothingUsed, ...usage() }), close() {} });
  return Object.create(group, { meter: { value: meter } });
}

const posingContention = (isContended: () => boolean) =>
  ({ look: isContended }) as unknown as Contention;

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

test('who asks is told each round how many run, and once that none does', async (t) => {
  const { sampler, group, rounds } = bench(t);
  sampler.begin('web', group, new Date());
  sampler.begin('other', group, new Date());
  await sampler.nextTick();
  await sampler.end('other', group.oomKills());
  await sampler.nextTick();
  await sampler.end('web', group.oomKills());
  const counts = () => rounds.map(({ running }) => running);
  await until(() => counts().at(-1) === 0);
  const changes = counts().filter((count, index, all) => count !== all[index - 1]);
  assert.deepEqual(changes, [2, 1, 0]);
});

test('a second container is told of before there is a round, unless it ends at once', async (t) => {
  const { sampler, group, rounds } = bench(t);
  sampler.begin('web', group, new Date());
  await sampler.nextTick();
  const [only] = rounds.splice(0);
  assert.equal(only?.running, 1);
  sampler.begin('other', group, new Date());
  assert.equal(rounds.length, 0);
  await until(() => rounds.length === 1);
  assert.deepEqual(rounds.splice(0), [{ running: 2, isContended: false }]);
  assert.equal(sampler.find('other')?.latest, undefined);
  await sampler.end('other', group.oomKills());
  sampler.begin('other', group, new Date());
  await sampler.end('other', group.oomKills());
  await until(() => rounds.length === 1);
  assert.equal(rounds[0]?.running, 1);
});

test('each is told what all but the greatest need, at first and when that changes', async (t) => {
  const MiB = 1024 ** 2;
  const needs: string[] = [];
  const leaveToOthers = (id: string, bytes: number) => needs.push(`${id} ${bytes / MiB}`);
  const { sampler, group } = bench(t, { leaveToOthers });
  const stat = { inactive_file: 30 * MiB, active_file: 20 * MiB, slab_reclaimable: 10 * MiB };
  let webBytes = 560 * MiB;
  const using = (bytes: () => number) =>
    posing(group, () => ({ memory: { ...nothingUsed.memory, usageBytes: bytes(), stat } }));
  const [web, hog] = [using(() => webBytes), using(() => 2000 * MiB)];
  sampler.begin('web', web, new Date());
  sampler.begin('hog', hog, new Date());
  await sampler.nextTick();
  assert.deepEqual(needs.splice(0), ['web 512', 'hog 512']);
  webBytes = 570 * MiB;
  await sampler.nextTick();
  assert.deepEqual(needs.splice(0), []);
  webBytes = 660 * MiB;
  await sampler.nextTick();
  assert.deepEqual(needs.splice(0), ['web 640', 'hog 640']);
  await sampler.end('web', 0);
  await sampler.nextTick();
  assert.deepEqual(needs, ['hog 0']);
});

test('who uses little comes before the others while they contend, a bomb after them', async (t) => {
  let isContended = true;
  const makeContention = () => posingContention(() => isContended);
  const told: string[] = [];
  const setPrecedence = (id: string, { before, now }: { before: string; now: string }) =>
    told.push(before === now ? `${id} ${now} still` : `${id} ${now}`);
  const { sampler, group } = bench(t, { makeContention, setPrecedence });
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
  // Both are known from their first round on, and count from then.
  const longAgo = new Date(Date.now() - 3_600_000);
  sampler.begin('web', web, longAgo);
  sampler.begin('hog', hog, longAgo);
  assert.deepEqual(await round(), []);
  assert.deepEqual(await round(), ['web ahead']);
  assert.deepEqual(await round(), ['web ahead still']);
  refusals = 1000;
  assert.deepEqual(await round(), ['web ahead still', 'hog held']);
  isContended = false;
  assert.deepEqual(await round(), ['web own', 'hog held still']);
  sampler.letEnd('hog');
  assert.deepEqual(told.splice(0), ['hog behind']);
  assert.deepEqual(await round(), ['hog behind still']);
});

test('a look between two rounds sets who comes first as soon as they contend, and samples nothing', async (t) => {
  const told: string[] = [];
  let isContended = false;
  const makeContention = () => posingContention(() => isContended);
  const setPrecedence = (id: string, { now }: { now: string }) => told.push(`${id} ${now}`);
  const { sampler, group, rounds } = bench(t, { makeContention, setPrecedence });
  const startedMs = performance.now();
  const using = (share: number) =>
    posing(group, () => ({
      cpu: { ...nothingUsed.cpu, totalNanos: 1e6 * share * (performance.now() - startedMs) },
    }));
  sampler.begin('web', using(0.05), new Date());
  await sampler.nextTick();
  const { latest } = sampler.find('web') ?? {};
  const hog = using(1.5);
  // Of one that is young only what it has used so far is known.
  Object.defineProperty(hog, 'usage', { value: () => hog.meter().read() });
  sampler.begin('hog', hog, new Date());
  await sampler.lookEarly();
  assert.deepEqual(told, [], 'they do not contend');
  isContended = true;
  await Promise.all([sampler.lookEarly(), sampler.lookEarly()]);
  assert.deepEqual(told.splice(0), ['web ahead'], 'a second look is not begun meanwhile');
  assert.deepEqual(rounds.at(-1), { running: 2, isContended: true });
  assert.equal(sampler.find('web')?.latest, latest);
  await sampler.lookEarly();
  assert.deepEqual(told, [], 'nor where it is known');
  isContended = false;
  await sampler.nextTick();
  assert.deepEqual(told.splice(0), ['web ahead'], 'the round of that second keeps to it');
  await sampler.nextTick();
  assert.deepEqual(told, ['web own']);
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
