/**
 * What only `/corten/v1` can limit, against programs that try to exceed it, on a real agent: changed
 * while they run, kept over restarts of container and agent, and taken away again.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Limits } from '../contract/limits.ts';
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
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
  docker = dockerCli(agent.socket);
});
after(() => discardAgent(agent));

const output = (...words: string[]) => docker.output(...words);
const run = (name: string, line: string, ...options: string[]) =>
  output('run', '-d', '--name', name, ...options, image, 'sh', '-c', line);

interface Answer {
  limits: Limits;
  warnings: string[];
  message?: string;
}

const ask = (method: 'GET' | 'POST', path: string, body?: unknown) =>
  askAgent<Answer>(agent.socket, method, path, body);

async function limit(name: string, limits: Limits, query = ''): Promise<Answer> {
  const { status, body } = await ask(
    'POST',
    `/corten/v1/containers/${name}/limits${query}`,
    limits,
  );
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

const limitsOf = async (name: string) =>
  (await ask('GET', `/corten/v1/containers/${name}/limits`)).body as unknown as Limits;

/** Where a container sees its own count of processes: v1 has a hierarchy for it. */
const pidsGroup = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';

test('who asks for nothing is protected, and -1 is no limit', async () => {
  await run('plain', 'sleep 1000');
  // Of the disk it gets what a project quota can hold, where there is one (disk-quota.linux.test.ts).
  const ofAll = async (name: string) => ({ ...(await limitsOf(name)), disk: undefined });
  assert.deepEqual(await ofAll('plain'), {
    disk: undefined,
    pids: 4096,
    log: { maxBytes: 20 * 1024 * 1024, maxFiles: 3 },
  });
  const most = (name: string) => output('exec', name, 'cat', `${pidsGroup}/pids.max`);
  assert.equal(await most('plain'), '4096');
  await run('open', 'sleep 1000', '--pids-limit', '-1', '--log-opt', 'max-size=-1');
  assert.deepEqual(await ofAll('open'), {
    disk: undefined,
    log: { maxBytes: null, maxFiles: 1 },
  });
  assert.equal(await most('open'), 'max');
  await output('rm', '-f', 'plain', 'open');
});

test('a dry run warns, and changes nothing; the change itself says the same', async () => {
  await run('many', 'for i in 1 2 3 4; do sleep 1000 & done; wait', '--memory', '64m');
  // Its shell, its children, and the line of titles.
  await eventually(async () => assert.equal((await output('top', 'many')).split('\n').length, 6));
  const before = await limitsOf('many');
  const asked = await limit('many', { pids: 4 }, '?dryRun=true');
  assert.match(asked.warnings.join(), /no new one can start/);
  assert.equal(asked.limits.pids, 4);
  assert.deepEqual(await limitsOf('many'), before);
  assert.deepEqual((await limit('many', { pids: 4 })).warnings, asked.warnings);
  assert.notEqual((await docker('exec', 'many', 'sh', '-c', 'ls | cat')).code, 0);
  assert.deepEqual((await limit('many', { pids: null })).warnings, []);
  assert.equal((await docker('exec', 'many', 'sh', '-c', 'ls | cat')).code, 0);
  await output('rm', '-f', 'many');
});

/** Whether this machine lets its root raise limits of others: some containers do not. */
const mayRaise =
  (BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`) &
    (1n << 24n)) !==
  0n;

/** Opens as many files as it may, and says with how many it stopped. */
const opener = `sh -c 'i=10; while [ $i -lt 200 ]; do eval "exec $i</dev/null"; i=$((i+1)); echo $i; done' 2>/dev/null | tail -n 1`;

test('open files: as many as the limit, now and in what starts later; a neighbour has its own', async () => {
  await run('files', `while :; do ${opener}; sleep 0.2; done`);
  await run('beside', 'sleep 1000');
  const opens = async (name: string) => Number(await output('exec', name, 'sh', '-c', opener));
  assert.equal(await opens('files'), 200);
  await limit('files', { openFiles: 40 });
  await eventually(async () => assert.equal(await output('logs', '-n', '1', 'files'), '40'));
  assert.equal(await opens('files'), 40);
  assert.equal(await opens('beside'), 200);
  await output('restart', '-t', '0', 'files');
  assert.equal(await opens('files'), 40);
  if (mayRaise) {
    await limit('files', { openFiles: null });
    await eventually(async () => assert.equal(await output('logs', '-n', '1', 'files'), '200'));
  } else {
    const refused = await ask('POST', '/corten/v1/containers/files/limits', { openFiles: null });
    assert.deepEqual(refused.status, 409);
    assert.match(refused.body.message ?? '', /lacks CAP_SYS_RESOURCE.*Stop the container/);
    assert.equal((await limitsOf('files')).openFiles, 40);
    await output('kill', 'files');
    await limit('files', { openFiles: null });
    await output('start', 'files');
  }
  assert.equal(await opens('files'), 200);
  await output('rm', '-f', 'files', 'beside');
});

test('open files: taken away, a limit is again what --ulimit said', async () => {
  await run('ulimited', 'sleep 1000', '--ulimit', 'nofile=50:60');
  const soft = () => output('exec', 'ulimited', 'sh', '-c', 'ulimit -n');
  await limit('ulimited', { openFiles: 40 });
  assert.equal(await soft(), '40');
  await output('pause', 'ulimited');
  await limit('ulimited', { openFiles: 30 });
  assert.equal(await output('inspect', '-f', '{{.State.Status}}', 'ulimited'), 'paused');
  const pid = await output('inspect', '-f', '{{.State.Pid}}', 'ulimited');
  assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max open files\s+30\s+30\s/);
  await output('unpause', 'ulimited');
  if (!mayRaise) await output('kill', 'ulimited');
  await limit('ulimited', { openFiles: null });
  if (!mayRaise) await output('start', 'ulimited');
  assert.equal(await soft(), '50');
  await output('rm', '-f', 'ulimited');
});

test('a log keeps to its limits, from then on and under the next agent', async () => {
  await run('chatter', 'while :; do seq 2000; done', '--log-opt', 'max-size=-1');
  await run('quiet', 'seq 1000; sleep 1000');
  const id = await output('inspect', '-f', '{{.Id}}', 'chatter');
  const directory = join(agent.root, 'containers', id, 'log');
  const bytes = () =>
    readdirSync(directory).reduce(
      (sum, name) => sum + (statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  const grows = (most: number) => eventually(async () => assert.ok(bytes() > most));
  const last = () => Math.max(...readdirSync(directory).map((name) => Number.parseInt(name, 10)));
  /** Watches the size while the log goes through so many files. */
  const staysBelow = async (most: number, files: number) => {
    for (const goal = last() + files; last() < goal; await sleep(10))
      assert.ok(bytes() <= most, `${bytes()} bytes of ${most}`);
  };
  await grows(1_000_000);
  const log = { maxBytes: 100_000, maxFiles: 2 };
  assert.match((await limit('chatter', { log })).warnings.join(), /oldest lines go/);
  // A file that is begun may already be there while the oldest still is, each with its last record.
  const most = 3 * (log.maxBytes + 66_000);
  await eventually(async () => assert.ok(bytes() <= most));
  await staysBelow(most, 10);
  await agent.end('SIGKILL');
  agent = await startAgent(agent.directory);
  docker = dockerCli(agent.socket);
  await staysBelow(most, 10);
  await limit('chatter', { log: { maxBytes: 70_000 } });
  await eventually(async () => assert.ok(bytes() <= 3 * (70_000 + 66_000)));
  await staysBelow(3 * (70_000 + 66_000), 10);
  const options = '{{index .HostConfig.LogConfig.Config "max-size"}}';
  assert.equal(await output('inspect', '-f', options, 'chatter'), '70000');
  await limit('chatter', { log: { maxBytes: null } });
  await grows(1_000_000);
  assert.equal((await output('logs', 'quiet')).split('\n').length, 1000);
  await output('rm', '-f', 'chatter', 'quiet');
});

async function received(name: string): Promise<number> {
  const { body } = await ask('GET', `/containers/${name}/stats?stream=0&one-shot=1`);
  const { networks } = body as unknown as { networks: Record<string, { rx_bytes: number }> };
  return Object.values(networks).reduce((sum, one) => sum + one.rx_bytes, 0);
}

/**
 * Bytes a second that arrive, over as many as make the beginning no part of it; a busy machine may take from a stream
 * what it would get, so too little has to last for four looks.
 */
async function rateInto(name: string, bytes: number, least: number): Promise<number> {
  let measured = 0;
  for (let looks = 0; looks < 4 && measured <= least; looks++) {
    // The clock is read around the counters: a wait between the two never makes a rate too high.
    const begin = process.hrtime.bigint();
    const first = await received(name);
    let arrived = 0;
    while (arrived <= bytes) {
      await sleep(100);
      arrived = (await received(name)) - first;
      const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
      assert.ok(seconds < 60, `${arrived} bytes came in a minute`);
      measured = arrived / seconds;
    }
  }
  return measured;
}

/** By -e, since nc itself ends with its own standard input. */
const sink = 'exec nc -ll -p 99 -e sh -c "cat >/dev/null"';
const rate = 400_000;
async function assertHeld(name: string): Promise<void> {
  const measured = await rateInto(name, 3 * rate, 0.5 * rate);
  assert.ok(measured < 1.25 * rate && measured > 0.5 * rate, `${Math.round(measured)} of ${rate}`);
}
async function assertFree(name: string): Promise<void> {
  const measured = await rateInto(name, 8 * rate, 2 * rate);
  assert.ok(measured > 2 * rate, `${Math.round(measured)} bytes a second`);
}

test('network rates hold a stream, over restarts of container, network and agent', async () => {
  await output('network', 'create', 'rates');
  const on = ['--network', 'rates'];
  await run('sink', sink, ...on);
  await run('other-sink', sink, ...on);
  const source = (to: string) => `while :; do nc ${to} 99 </dev/zero; sleep 0.2; done`;
  await run('sender', source('sink'), ...on);
  await run('other', source('other-sink'), ...on);
  await assertFree('sink');
  const { warnings } = await limit('sender', { network: { egressBytesPerSecond: rate } });
  assert.match(String(warnings), /sends .* a second now, and the limit is 0.4 MiB/);
  await assertHeld('sink');
  await assertFree('other-sink');
  await output('restart', '-t', '0', 'sender');
  await assertHeld('sink');
  await output('network', 'disconnect', 'rates', 'sender');
  await output('network', 'connect', 'rates', 'sender');
  // The connection of before belongs to an interface that is gone; where it has ended by itself there is none to kill.
  await docker('exec', 'sender', 'killall', 'nc');
  await assertHeld('sink');
  await agent.end('SIGKILL');
  agent = await startAgent(agent.directory);
  docker = dockerCli(agent.socket);
  await assertHeld('sink');
  await limit('sender', { network: { egressBytesPerSecond: null } });
  await assertFree('sink');
  await limit('sink', { network: { ingressBytesPerSecond: rate } });
  await assertHeld('sink');
  await assertFree('other-sink');
  await limit('sink', { network: { ingressBytesPerSecond: null } });
  await assertFree('sink');
  await output('rm', '-f', 'sink', 'other-sink', 'sender', 'other');
  await output('network', 'rm', 'rates');
  assert.deepEqual(
    readdirSync('/sys/class/net').filter((name) => name.startsWith('cs')),
    [],
  );
});

test('what cannot be limited is refused with a sentence, and is not remembered', async () => {
  await run('on-host', 'sleep 1000', '--network', 'host');
  const refused = await ask('POST', '/corten/v1/containers/on-host/limits', {
    network: { egressBytesPerSecond: rate },
    pids: 50,
  });
  assert.equal(refused.status, 400);
  assert.match(refused.body.message ?? '', /machine's own network/);
  const v1 = existsSync('/sys/fs/cgroup/memory');
  const high = await ask('POST', '/corten/v1/containers/on-host/limits', {
    memory: { highBytes: 32 * 1024 * 1024 },
  });
  assert.equal(high.status, v1 ? 400 : 200);
  if (v1) assert.match(high.body.message ?? '', /cgroup v1/);
  assert.equal((await limitsOf('on-host')).pids, 4096);
  await output('rm', '-f', 'on-host');
});
