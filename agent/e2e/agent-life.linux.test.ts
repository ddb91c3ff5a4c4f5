/** The agent may die at any moment; containers must not notice, and nothing may be lost. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AgentProcess,
  ask,
  type DockerCli,
  discardAgent,
  dockerCli,
  eventually,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';
import { patienceMs } from './patience.ts';
import { until } from './until.ts';

const image = 'corten/starter';
const count = 20;

let directory: string;
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  directory = makeAgentDirectory();
  await begin();
});
after(() => discardAgent(agent));

async function begin(): Promise<void> {
  agent = await startAgent(directory);
  docker = dockerCli(agent.socket);
}

const output = (...words: string[]) => docker.output(...words);

const names = Array.from({ length: count }, (_, index) => `chat${index}`);
const pidOf = (name: string) => output('inspect', '-f', '{{.State.Pid}}', name);

const newestLine = async (name: string) => Number(await output('logs', '--tail', '1', name));

/** Their lines are numbers that count up. */
function writesMoreThan(name: string, line: number): Promise<void> {
  return eventually(async () => assert.ok((await newestLine(name)) > line));
}

test('kill -9 under 20 chatting containers: all run on, and no line is lost', async () => {
  const chatter = 'i=0; while :; do echo $i; i=$((i+1)); [ $((i % 10)) = 0 ] && sleep 0.05; done';
  await Promise.all(
    names.map((name) => output('run', '-d', '--name', name, image, 'sh', '-c', chatter)),
  );
  const pids = await Promise.all(names.map(pidOf));
  await Promise.all(names.map((name) => writesMoreThan(name, 30)));
  await agent.end('SIGKILL');
  // Meanwhile they go on writing, with nobody there who follows.
  await sleep(1000);
  await begin();
  assert.deepEqual(await Promise.all(names.map(pidOf)), pids);
  assert.equal((await output('ps', '-q')).split('\n').length, count);
  await Promise.all(names.map(async (name) => writesMoreThan(name, (await newestLine(name)) + 10)));
  await Promise.all(names.map((name) => output('kill', name)));
  for (const name of names) {
    const lines = (await output('logs', name)).split('\n').map(Number);
    assert.deepEqual(
      lines,
      Array.from(lines, (_, index) => index),
      `${name} lost a line`,
    );
  }
  await output('rm', '-f', ...names);
});

test('who finds the socket of a first start finds the starter image', async () => {
  const first = makeAgentDirectory();
  const starting = startAgent(first);
  const socket = join(first, 'run/docker.sock');
  const images = () => ask<{ RepoTags: string[] }[]>(socket, 'GET', '/images/json');
  let answer = await images().catch(() => undefined);
  for (; answer === undefined; await sleep(1)) answer = await images().catch(() => undefined);
  assert.deepEqual(
    answer.body.map(({ RepoTags }) => RepoTags),
    [[`${image}:latest`]],
  );
  await discardAgent(await starting);
});

test('what ends while no agent runs has its true status', async () => {
  const gate = join(directory, 'gate');
  mkdirSync(gate);
  const wait = 'until [ -e /gate/open ]; do sleep 0.1; done';
  const run = (name: string, last: string, ...options: string[]) =>
    output(
      ...['run', '-d', '--name', name, '-v', `${gate}:/gate:ro`, ...options, image],
      ...['sh', '-c', `${wait}; ${last}`],
    );
  await run('three', 'echo bye; exit 3');
  await run('auto', 'true', '--rm');
  await run('phoenix', 'true', '--restart', 'always');
  const pids = await Promise.all(['three', 'auto', 'phoenix'].map(pidOf));
  await agent.end('SIGKILL');
  writeFileSync(join(gate, 'open'), '');
  for (const pid of pids) await eventually(() => assert.throws(() => process.kill(Number(pid), 0)));
  await begin();
  await eventually(async () =>
    assert.equal(
      await output('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'three'),
      'exited 3',
    ),
  );
  assert.equal(await output('logs', 'three'), 'bye');
  await eventually(async () =>
    assert.notEqual((await docker('inspect', 'auto')).code, 0, 'it was to go away when it ended'),
  );
  await eventually(async () =>
    assert.notEqual(
      await output('inspect', '-f', '{{.RestartCount}}', 'phoenix'),
      '0',
      'the restart policy was not applied',
    ),
  );
  await output('rm', '-f', 'three', 'phoenix');
});

test('standard input, exec, stats and published ports work again after a kill', async () => {
  await output(
    'run',
    '-d',
    '-i',
    '--name',
    'talk',
    '-p',
    '127.0.0.1:18999:80',
    image,
    'sh',
    '-c',
    'nc -ll -p 80 -e echo served & read x; echo got $x; exit 5',
  );
  await agent.end('SIGKILL');
  await begin();
  assert.equal(await output('exec', 'talk', 'echo', 'inside'), 'inside');
  assert.match(await output('stats', '--no-stream', '--format', '{{.PIDs}}', 'talk'), /^[1-9]/);
  await eventually(async () => assert.equal(await fetchLine(18999), 'served\n'));
  const { stdout } = await docker.withInput('word\n', 'attach', 'talk');
  assert.match(stdout, /got word/);
  await output('rm', '-f', 'talk');
});

test('SIGTERM stops the agent and leaves containers running', async () => {
  await output('run', '-d', '--name', 'steady', image, 'sleep', '1000');
  const pid = await pidOf('steady');
  await agent.end('SIGTERM');
  process.kill(Number(pid), 0);
  await begin();
  assert.equal(await pidOf('steady'), pid);
  await output('rm', '-f', 'steady');
});

test('a second agent on the same state refuses, and says why', async () => {
  await assert.rejects(startAgent(directory), /already|in use|another/i);
});

function fetchLine(port: number): Promise<string> {
  return new Promise((done, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setTimeout(patienceMs / 2, () =>
      socket.destroy(new Error(`no answer from port ${port}`)),
    );
    socket.on('data', (part) => {
      text += part;
    });
    socket.on('error', reject);
    socket.on('end', () => done(text));
  });
}

test('an agent that is stopped while it starts leaves nothing mounted', async () => {
  const early = makeAgentDirectory();
  const mounts = () =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(early));
  const words = ['agent/main.ts', '--root', join(early, 'root'), '--run', join(early, 'run')];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...words], {
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  await until(() => mounts().length > 0, 'the disk of the layers is mounted');
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual(mounts(), []);
  rmSync(early, { recursive: true });
});
