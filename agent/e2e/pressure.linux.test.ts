/** Events of limits, from real busy loops, OOM kills and fork bombs. */
// Runs alone: it waits until nothing contends for the CPUs of this machine.
import assert from 'node:assert/strict';
import { existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { get } from 'node:http';
import { availableParallelism } from 'node:os';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  HistoryDocument,
  LimitEvent,
  LimitEventKind,
  MachinePressureDocument,
  PressureDocument,
  SuggestionsDocument,
} from '../contract/pressure.ts';
import {
  type AgentProcess,
  ask as askAgent,
  type DockerCli,
  discardAgent,
  dockerCli,
  eventually,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

const image = 'corten/starter';
const MiB = 1024 ** 2;
const isV1 = existsSync('/sys/fs/cgroup/memory');
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
  docker = dockerCli(agent.socket);
});
after(() => discardAgent(agent));

const run = (name: string, limits: string[], line: string) =>
  docker.output(
    ...['run', '-d', '--name', name, '--network', 'none', ...limits, image, 'sh', '-c', line],
  );

const ask = async <T>(path: string): Promise<T> =>
  (await askAgent<T>(agent.socket, 'GET', `/corten/v1${path}`)).body;

const history = (name: string) =>
  ask<HistoryDocument>(`/containers/${name}/history?seconds=600&step=1`);

const eventsOf = async (name: string, kind: LimitEventKind): Promise<LimitEvent[]> =>
  (await history(name)).events.filter((event) => event.kind === kind);

const known = (column: (number | null)[]) => column.filter((value) => value !== null);
const total = (column: (number | null)[]) => known(column).reduce((sum, value) => sum + value, 0);

/** The first documents of a stream, which is left after them. */
function follow(path: string, count: number): Promise<PressureDocument[]> {
  return new Promise((done, reject) => {
    const request = get({ socketPath: agent.socket, path: `/corten/v1${path}` }, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += part;
        const lines = text.split('\n').slice(0, -1);
        if (lines.length < count) return;
        request.destroy();
        done(lines.slice(0, count).map((line) => JSON.parse(line)));
      });
      response.on('end', () => reject(new Error(`the stream ended after ${text}`)));
    });
    request.on('error', reject);
  });
}

test('a throttled loop: seen each second, told once, and a higher limit is suggested', async () => {
  // So little that it reaches its quota also where many others want the processors.
  await run('looper', ['--cpus', '0.02'], 'while :; do :; done');
  const documents = await follow('/containers/looper/pressure?stream=true', 4);
  assert.deepEqual(
    documents.map(({ name, running }) => [name, running]),
    documents.map(() => ['looper', true]),
  );
  const { sample } = documents.at(-1) ?? {};
  assert.ok(sample && sample.cpu.throttledPeriods > sample.cpu.periods / 2);
  // A free loop would have all of one; a period may be overrun by a tick, which a slow machine gives late.
  assert.ok(sample.cpu.usedMicros / 1000 / sample.intervalMs < 0.5);
  // It is told after ten seconds of it.
  await follow('/containers/looper/pressure?stream=true', 12);
  await eventually(async () => assert.equal((await eventsOf('looper', 'throttled')).length, 1));
  const { columns, stall, machineStall, absent } = await history('looper');
  assert.ok(known(columns.throttledShare).filter((share) => share > 0.5).length >= 9);
  const cpus = known(columns.cpus).toSorted((a, b) => a - b);
  assert.ok((cpus.at(cpus.length / 2) ?? 1) < 0.2, cpus.join());
  assert.ok(machineStall === null || machineStall.cpu.length === columns.cpus.length);
  assert.equal('stall' in absent, isV1);
  assert.equal(stall === null, isV1 || machineStall === null);
  // All that runs there waits for its quota most of the time.
  if (stall !== null) assert.ok(Math.max(...known(stall.cpu)) > 0.5, stall.cpu.join());
  const { cpu, memory } = await ask<SuggestionsDocument>('/containers/looper/suggestions');
  assert.equal(cpu.reason, 'limit-reached');
  assert.equal(cpu.limits?.quotaMicros, 5_000);
  assert.deepEqual([memory.limits, memory.reason], [null, 'too-little-seen']);
  const { containers } = await ask<MachinePressureDocument>('/pressure');
  assert.deepEqual(
    containers.map(({ name }) => name),
    ['looper'],
  );
  // Told once, however long it goes on.
  assert.equal((await eventsOf('looper', 'throttled')).length, 1);
  await docker.output('rm', '-f', 'looper');
});

const logIsOpen = () => {
  try {
    readSync(openSync('/dev/kmsg', 'r'), Buffer.alloc(8192));
    return true;
  } catch {
    // Not allowed here: then the kill has no name, which another test asks for.
    return false;
  }
};

test('an OOM kill names the process that was killed, and no other container has an event', async (t) => {
  if (!logIsOpen()) return t.skip('the kernel log cannot be read here');
  // A small shell beside a dd that wants a buffer of 100 MiB.
  await docker.output(
    ...['create', '--name', 'glutton', '--network', 'none', '-m', '48m', '--memory-swap', '48m'],
    ...[image, 'sh', '-c'],
    'sleep 2; dd if=/dev/zero of=/dev/null bs=100M count=1; echo survived; sleep 1000',
  );
  // On v2 it would take the shell along.
  const alone = { memory: { oomGroup: false } };
  await askAgent(agent.socket, 'POST', '/corten/v1/containers/glutton/limits', alone);
  await docker.output('start', 'glutton');
  await eventually(async () =>
    assert.equal((await docker('logs', 'glutton')).stdout, 'survived\n'),
  );
  await eventually(async () => assert.equal((await eventsOf('glutton', 'oom-kill')).length, 1));
  const [event] = await eventsOf('glutton', 'oom-kill');
  assert.equal(event?.cause, 'limit');
  assert.equal(event?.process?.name, 'dd');
  const { memoryBytes = 0, pid = 0 } = event?.process ?? {};
  assert.ok(memoryBytes > 40 * MiB && memoryBytes < 60 * MiB, `it had ${memoryBytes}`);
  assert.ok(pid > 1);
  assert.equal(total((await history('glutton')).columns.oomKills), 1);
  const { memory } = await ask<SuggestionsDocument>('/containers/glutton/suggestions');
  assert.deepEqual([memory.reason, memory.limits], ['limit-reached', { maxBytes: 72 * MiB }]);
  await docker.output('rm', '-f', 'glutton');
});

test('a container that ends by its OOM kill has its event before it is removed', async (t) => {
  if (!logIsOpen()) return t.skip('the kernel log cannot be read here');
  const since = String(Math.floor(Date.now() / 1000));
  await docker(
    ...['run', '--rm', '--name', 'brief', '--network', 'none', '-m', '16m', '--memory-swap', '16m'],
    ...[image, 'sh', '-c', 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'],
  );
  const told = await docker.output(
    ...['events', '--since', since, '--until', String(Math.floor(Date.now() / 1000) + 1)],
    ...['--filter', 'container=brief', '--format', '{{.Action}} {{.Actor.Attributes.process}}'],
  );
  const actions = told.split('\n');
  assert.ok(actions.includes('pressure: oom-kill sh'), told);
  assert.equal(actions.filter((action) => /^pressure: oom-kill/.test(action)).length, 1, told);
  assert.ok(actions.indexOf('pressure: oom-kill sh') < actions.findIndex((a) => /^die/.test(a)));
});

test('on v2 a container ends whole by one OOM kill, and each of its processes is told once', async (t) => {
  if (!logIsOpen()) return t.skip('the kernel log cannot be read here');
  if (isV1) return t.skip('v1 kills one process at a time');
  await run(
    'whole',
    ['--memory', '48m', '--memory-swap', '48m'],
    // The last word keeps the shell from becoming dd.
    'sleep 1000 & sleep 1001 & sleep 2; dd if=/dev/zero of=/dev/null bs=100M count=1; :',
  );
  assert.equal(await docker.output('wait', 'whole'), '137');
  const { columns, events } = await history('whole');
  const kills = events.filter(({ kind }) => kind === 'oom-kill');
  const names = kills.map(({ process }) => process?.name);
  // With the first of them all others of a pid namespace end, some before the kernel comes to them.
  assert.ok(names.includes('dd') && names.includes('sh'), names.join());
  assert.equal(new Set(kills.map(({ process }) => process?.pid)).size, kills.length);
  assert.equal(total(columns.oomKills), kills.length);
  assert.equal(await docker.output('inspect', '-f', '{{.State.OOMKilled}}', 'whole'), 'true');
  await docker.output('rm', 'whole');
});

test('a fork bomb: refusals are counted and told once', async () => {
  await run('bomb', ['--pids-limit', '30'], '(b() { b | b & b; }; b) & exec sleep 1000');
  await eventually(async () => assert.equal((await eventsOf('bomb', 'pids-full')).length, 1));
  const { columns } = await history('bomb');
  assert.ok(total(columns.pidsRefusals) > 0);
  assert.ok(Math.max(...known(columns.pids)) <= 30);
  assert.equal(known(columns.pidsLimit).at(-1), 30);
  const { pids } = await ask<SuggestionsDocument>('/containers/bomb/suggestions');
  assert.deepEqual([pids.reason, pids.limits], ['limit-reached', 60]);
  await docker.output('rm', '-f', 'bomb');
});

test('a full disk is told once, with whose end it was: the container’s limit or a volume’s', async () => {
  const fill = (path: string) => `dd if=/dev/zero of=${path} bs=1M 2>/dev/null; exec sleep 1000`;
  await run('filler', ['--storage-opt', 'size=32m'], fill('/big'));
  await docker.output('volume', 'create', '-o', 'size=32m', 'small');
  await run('pourer', ['-v', 'small:/data'], fill('/data/big'));
  for (const [name, whose] of [
    ['filler', { cause: 'limit' }],
    ['pourer', { cause: 'limit', volume: 'small' }],
  ] as const) {
    await eventually(async () => {
      const told = await eventsOf(name, 'disk-full');
      assert.deepEqual(
        told.map(({ atMs: _when, ...event }) => event),
        [{ kind: 'disk-full', count: 1, ...whose }],
      );
    });
    const { columns } = await history(name);
    assert.ok(total(columns.diskFullSeconds) > 0);
  }
  await docker.output('exec', 'filler', 'rm', '/big');
  await eventually(async () => {
    const { sample } = await ask<PressureDocument>('/containers/filler/pressure');
    assert.equal(sample?.diskFull, false);
  });
  await docker.output('rm', '-f', 'filler', 'pourer');
  await docker.output('volume', 'rm', 'small');
});

const pidOf = (name: string) => docker.output('inspect', '-f', '{{.State.Pid}}', name);

/** A file of the cpu controller, as the kernel has it. */
function cpuFile(pid: string, v1: string, v2: string): string {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const [, path = ''] =
    (isV1 ? /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$/m : /^0::(.*)$/m).exec(groups) ?? [];
  const file = isV1 ? `/sys/fs/cgroup/cpu${path}/${v1}` : `/sys/fs/cgroup${path}/${v2}`;
  return readFileSync(file, 'utf8').trim();
}
const sharesOf = (pid: string) => cpuFile(pid, 'cpu.shares', 'cpu.weight');
/** In microseconds, by command: the kernel (Linux 6.12) tells it of each process. */
async function slicesIn(name: string): Promise<{ [command: string]: number }> {
  const top = await docker.output('top', name, '-o', 'pid,args');
  const lines = top
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  return Object.fromEntries(
    lines.map(([pid, command = '', seconds]) => [
      command === 'sleep' ? `${command} ${seconds}` : command,
      Number(/^se.slice *: *(\d+)/m.exec(readFileSync(`/proc/${pid}/sched`, 'utf8'))?.[1]) / 1000,
    ]),
  );
}
const quotaOf = (pid: string) => cpuFile(pid, 'cpu.cfs_quota_us', 'cpu.max');

test('a fork bomb is throttled while others run, and has its own limits again afterwards', async () => {
  // A `system` that is refused a process fails, and awk goes on.
  const name = await docker.output(
    ...['run', '-d', '--network', 'none', '--pids-limit', '1'],
    ...['--cpu-shares', '512', '--cpus', '1.5'],
    ...[image, 'awk', 'BEGIN { while (1) system("sleep 0.1") }'],
  );
  const pid = await pidOf(name);
  // The sampler needs two seconds to see the refusals.
  await sleep(3000);
  assert.equal(quotaOf(pid), isV1 ? '150000' : '150000 100000', 'alone it is not throttled');
  const other = await docker.output('run', '-d', '--network', 'none', image, 'sleep', '1000');
  await eventually(() => assert.equal(sharesOf(pid), isV1 ? '2' : '1'));
  await eventually(() => assert.equal(quotaOf(pid), isV1 ? '10000' : '10000 1000000'));
  await docker.output('update', '--pids-limit', '100', name);
  await eventually(() => assert.equal(quotaOf(pid), isV1 ? '150000' : '150000 100000'));
  await eventually(() => assert.equal(sharesOf(pid), isV1 ? '512' : '59'));
  await docker.output('rm', '-f', name, other);
});

const [usualShares, boostedShares] = isV1 ? ['1024', '8192'] : ['100', '532'];
const busyLoops = `${'(while :; do :; done) & '.repeat(2 * availableParallelism())} wait`;

test('a container that uses little is boosted beside a busy one, unless it was given shares', async (t) => {
  await run('calm', [], 'sleep 1001 & wait');
  await run('given', ['--cpu-shares', '512'], 'exec sleep 1000');
  await run('busy', [], busyLoops);
  const [calm, given, busy] = [await pidOf('calm'), await pidOf('given'), await pidOf('busy')];
  const isBoosted = () => assert.equal(sharesOf(calm), boostedShares);
  const isAsBefore = async () => {
    assert.equal(sharesOf(calm), usualShares);
    assert.deepEqual(await slicesIn('calm'), { sh: 1000, 'sleep 1001': 1000, 'sleep 1002': 1000 });
  };
  await eventually(isBoosted);
  assert.equal(sharesOf(given), isV1 ? '512' : '59');
  assert.equal(sharesOf(busy), usualShares);
  await t.test('its time slices are shorter, also of processes started later', async () => {
    await docker.output('exec', '-d', 'calm', 'sleep', '1002');
    await eventually(async () =>
      assert.deepEqual(await slicesIn('calm'), { sh: 700, 'sleep 1001': 700, 'sleep 1002': 700 }),
    );
    assert.deepEqual(Object.values(await slicesIn('busy')), [1000]);
  });
  await t.test('the boost ends with the contention', async () => {
    await docker.output('pause', 'busy');
    await eventually(isAsBefore);
    await docker.output('unpause', 'busy');
    await eventually(isBoosted);
  });
  await t.test('the boost does not outlive a killed agent', async () => {
    await agent.end('SIGKILL');
    process.kill(Number(busy), 'SIGKILL');
    isBoosted();
    agent = await startAgent(agent.directory);
    // The agent's own start is a load that may boost it for another second.
    await eventually(isAsBefore);
  });
  await docker.output('rm', '-f', 'busy', 'given', 'calm');
});

test('history outlives the process, and goes with the container', async () => {
  await run('short', [], 'sleep 3');
  await docker.output('wait', 'short');
  const { columns } = await history('short');
  assert.ok(total(columns.observedSeconds) >= 2);
  const now = await ask<PressureDocument>('/containers/short/pressure');
  assert.equal(now.running, false);
  await docker.output('rm', 'short');
  assert.match(
    (await ask<{ message: string }>('/containers/short/history')).message,
    /No such container/,
  );
});
