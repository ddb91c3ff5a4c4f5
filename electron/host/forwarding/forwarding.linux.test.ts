/**
 * A machine in a network namespace of its own, where only its SSH socket and one wire lead to: all
 * that a virtual machine has of its host. The real agent, the real docker CLI.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type AgentProcess,
  discardAgent,
  makeAgentDirectory,
  startAgent,
} from '../../../agent/e2e/agent-process.ts';
import { until } from '../../../agent/e2e/until.ts';
import { freePort } from '../../../agent/network/testdata/free-port.ts';
import type { ForwardedPort } from '../../contract/forward.ts';
import { createMachine } from '../machine/lifecycle.ts';
import type { Machine } from '../machine/machine.ts';
import { say } from '../port-forwarding/testdata/ports.ts';
import { createForwarding, type Forwarding } from './forwarding.ts';
import { agentMachine } from './testdata/agent-machine.ts';

const hostAddress = '10.0.2.2';
const image = 'corten/starter';
const directory = mkdtempSync(join(tmpdir(), 'corten-forwarding-'));
const environment = {
  PATH: process.env.PATH,
  DOCKER_CONFIG: join(directory, 'docker'),
  HTTPS_PROXY: 'http://127.0.0.1:3129',
  TZ: 'Europe/Lisbon',
};
const apiSocketPath = join(directory, 'docker.sock');
let agent: AgentProcess;
let machine: Machine;
let forwarding: Forwarding;
let ports: ForwardedPort[] = [];
const watching = new AbortController();

before(async () => {
  agent = await startAgent(
    makeAgentDirectory(),
    ['--host-address', 'gateway'],
    ['unshare', '--net'],
  );
  const inGuest = ['nsenter', `--net=/proc/${agent.pid}/ns/net`, '--'];
  for (const line of [
    `ip link add wire type veth peer name eth0 netns ${agent.pid}`,
    `ip addr add ${hostAddress}/24 dev wire`,
    'ip link set wire up',
    [...inGuest, 'ip link set lo up'].join(' '),
    [...inGuest, 'ip addr add 10.0.2.15/24 dev eth0'].join(' '),
    [...inGuest, 'ip link set eth0 up'].join(' '),
    [...inGuest, `ip route add default via ${hostAddress}`].join(' '),
  ]) {
    const [program = '', ...words] = line.split(' ');
    execFileSync(program, words);
  }
  forwarding = createForwarding({
    apiSocketPath,
    contextName: 'corten',
    isGuest: true,
    environment,
  });
  assert.ok(forwarding.companion);
  machine = createMachine({
    backend: agentMachine(agent),
    companions: [forwarding.companion],
    report: (what, error) => assert.fail(`${what}: ${error}`),
  });
  await machine.controls!.change({ proxiesInContainers: true });
  assert.equal((await machine.start()).status, 'running');
  forwarding.context.setUp({ use: true });
  void (async () => {
    for await (const now of forwarding.watchPorts(watching.signal)) ports = now;
  })();
  assert.ok(existsSync(apiSocketPath), 'a started machine has its socket');
});

after(async () => {
  watching.abort();
  await machine.stop();
  await discardAgent(agent);
  rmSync(directory, { recursive: true });
});

test('a bare docker asks the machine; its socket is for its owner only', async () => {
  assert.equal(statSync(apiSocketPath).mode & 0o777, 0o600);
  assert.equal(await docker('context', 'show'), 'corten');
  assert.equal(await docker('--context', 'corten', 'ps', '-q'), '');
});

test("hijacked connections: input's end arrives, output goes on, exit codes come back", async () => {
  const sorted = await withInput('b\na\n', 'run', '--rm', '-i', image, 'sh', '-c', 'sort; exit 7');
  assert.deepEqual(sorted, { stdout: 'a\nb\n', code: 7 });
  const id = await docker('run', '-d', image, 'sleep', '1000');
  const counted = await withInput('x'.repeat(3_000_000), 'exec', '-i', id, 'wc', '-c');
  assert.deepEqual(counted, { stdout: '3000000\n', code: 0 });
  await docker('rm', '-f', id);
});

test('a port works once docker run has returned, through a restart, and is free after the stop', async () => {
  const hostPort = await freePort();
  const id = await docker(
    ...['run', '-d', '-p', `${hostPort}:80`, image],
    ...['nc', '-ll', '-p', '80', '-e', 'cat'],
  );
  assert.equal(await say(hostPort, 'hello'), 'hello');
  assert.equal(await say(hostPort, 'hello', '::1'), 'hello');
  assert.deepEqual(
    ports.map(({ containerId, status }) => [containerId, status]),
    [[id, 'open']],
  );
  await docker('restart', '-t', '0', id);
  assert.equal(await say(hostPort, 'again'), 'again');
  await docker('stop', '-t', '0', id);
  await assert.rejects(say(hostPort, 'x'), { code: 'ECONNREFUSED' });
  await docker('rm', id);
});

test('a port that is taken here fails docker run, and says who has it', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const words = ['run', '-d', '--name', 'late', '-p', `127.0.0.1:${port}:80`, image, 'sleep', '9'];
  await assert.rejects(docker(...words), (error: Error) => {
    assert.match(error.message, /port is already allocated: \S+ \(pid \d+\) has tcp port/);
    assert.match(error.message, /stop it, or publish on another port/);
    return true;
  });
  other.close();
  await docker('start', 'late');
  await docker('rm', '-f', 'late');
});

test('UDP reaches the container and comes back', async () => {
  const hostPort = await freePort();
  const id = await docker(
    ...['run', '-d', '-p', `127.0.0.1:${hostPort}:53/udp`, image, 'sleep', '1000'],
  );
  // The starter image has no program that serves UDP.
  const inside = `--net=/proc/${await docker('inspect', '-f', '{{.State.Pid}}', id)}/ns/net`;
  const server = spawn('nsenter', [inside, 'socat', 'UDP-RECVFROM:53,fork', 'SYSTEM:cat']);
  const client = createSocket('udp4');
  const answer = once(client, 'message');
  // The server may not be up yet; UDP says nothing of that.
  const again = setInterval(() => client.send('ping', hostPort, '127.0.0.1'), 100);
  assert.equal(String((await answer)[0]), 'ping');
  clearInterval(again);
  client.close();
  server.kill();
  await docker('rm', '-f', id);
});

test("a container reaches this computer by name, with this computer's proxy", async () => {
  const server = createHttpServer((_request, response) => response.end('from the host'));
  await new Promise<void>((resolve) => server.listen(0, hostAddress, resolve));
  const { port } = server.address() as { port: number };
  const get = (name: string, ...words: string[]) =>
    docker('run', '--rm', ...words, image, 'wget', '-qO-', `http://${name}:${port}`);
  for (const name of ['host.corten.internal', 'host.docker.internal'])
    assert.equal(await get(name), 'from the host');
  assert.equal(await get('mine', '--add-host', 'mine:host-gateway'), 'from the host');
  await docker('network', 'create', 'own');
  assert.equal(await get('host.corten.internal', '--network', 'own'), 'from the host');
  await docker('network', 'rm', 'own');
  server.close();
  assert.match(await docker('info', '-f', '{{.HTTPSProxy}}'), /^http:\/\/10\.0\.2\.2:3129$/);
  assert.match(
    await docker('run', '--rm', image, 'sh', '-c', 'echo $https_proxy'),
    /^http:\/\/10\.0\.2\.2:3129$/,
  );
});

test('a stopped machine leaves no socket and no port; started again, both are back', async () => {
  const hostPort = await freePort();
  const id = await docker(
    ...['run', '-d', '-p', `${hostPort}:80`, image],
    ...['nc', '-ll', '-p', '80', '-e', 'cat'],
  );
  await machine.stop();
  assert.equal(existsSync(apiSocketPath), false);
  await assert.rejects(say(hostPort, 'x'), { code: 'ECONNREFUSED' });
  await machine.start();
  await until(() => existsSync(apiSocketPath) && ports.some((port) => port.hostPort === hostPort));
  assert.equal(await say(hostPort, 'back'), 'back');
  await docker('rm', '-f', id);
});

function docker(...words: string[]): Promise<string> {
  return new Promise((resolve, reject) =>
    execFile('docker', words, { env: environment }, (error, stdout, stderr) =>
      error ? reject(new Error(`docker ${words.join(' ')}: ${stderr}`)) : resolve(stdout.trim()),
    ),
  );
}

function withInput(input: string, ...words: string[]): Promise<{ stdout: string; code: number }> {
  return new Promise((resolve) => {
    const child = execFile('docker', words, { env: environment }, (error, stdout) =>
      resolve({ stdout, code: error === null ? 0 : Number(error.code) }),
    );
    child.stdin?.end(input);
  });
}
