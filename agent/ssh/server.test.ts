/** The server against ssh2's client: logins, shells, forwarding, limits. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, beforeEach, test } from 'node:test';
import ssh2, { type Client, type ClientChannel } from 'ssh2';
import { until } from '../e2e/until.ts';
import { openShellOverExec } from './exec-shells.ts';
import { makeKeyPair, prepareKeys, readPrivateKey, type SshKeys } from './keys.ts';
import { createSshServer, type SshServer } from './server.ts';
import { HostExec } from './testdata/host-exec.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-ssh-'));
const sshPath = join(directory, 'ssh.sock');
const apiPath = join(directory, 'docker.sock');
const api = createServer((incoming, response) => {
  if (incoming.url === '/flood') {
    response.end(Buffer.alloc(20 * 1024 * 1024, 'x'));
    return;
  }
  incoming.pipe(response);
});
let keys: SshKeys;
let server: SshServer;
let exec: HostExec;

before(async () => {
  keys = prepareKeys(join(directory, 'keys'));
  server = createSshServer({
    hostKeyPath: keys.hostKeyPath,
    authorizedKeysPath: keys.authorizedKeysPath,
    apiSocketPath: apiPath,
    backend: {
      openShell: (container, shell) => openShellOverExec(exec)(container, shell),
      isContainerAddress: () => false,
    },
  });
  await server.listen({ path: sshPath });
  await new Promise<void>((resolve) => api.listen(apiPath, resolve));
});

beforeEach(() => {
  exec = new HostExec();
});

after(async () => {
  await server.close();
  api.closeAllConnections();
  api.close();
  rmSync(directory, { recursive: true, force: true });
});

test('a command gives its output, its errors and its exit status', async () => {
  const client = await login('web');
  const result = await run(client, 'echo out; echo err >&2; exit 7');
  assert.deepEqual(result, { stdout: 'out\n', stderr: 'err\n', code: 7 });
  client.end();
});

test('stdin reaches the command, and its end too', async () => {
  const client = await login('web');
  const channel = await open(client, 'sort');
  channel.end('b\na\n');
  assert.equal((await resultOf(channel)).stdout, 'a\nb\n');
  client.end();
});

test('environment is passed on; unusable names are not', async () => {
  const client = await login('web');
  const channel = await new Promise<ClientChannel>((resolve, reject) =>
    client.exec(
      'echo $GREETING',
      { env: { GREETING: 'hello', 'BAD NAME': 'x' } },
      (error, opened) => (error ? reject(error) : resolve(opened)),
    ),
  );
  assert.equal((await resultOf(channel)).stdout, 'hello\n');
  assert.deepEqual(exec.created[0]!.env, ['GREETING=hello']);
  client.end();
});

test('a shell on a terminal has its size, follows a resize and ends with the shell', async () => {
  const client = await login('web');
  const shell = await new Promise<ClientChannel>((resolve, reject) =>
    client.shell({ rows: 33, cols: 111, term: 'xterm-256color' }, (error, channel) =>
      error ? reject(error) : resolve(channel),
    ),
  );
  const result = resultOf(shell);
  shell.setWindow(40, 100, 0, 0);
  shell.write('stty size; echo $TERM; exit 3\n');
  const { stdout, code } = await result;
  assert.match(stdout, /33 111/);
  assert.match(stdout, /xterm-256color/);
  assert.equal(code, 3);
  assert.deepEqual(exec.resizes, [{ rows: 40, columns: 100 }]);
  client.end();
});

test('hanging up closes the process', async () => {
  const client = await login('web');
  await open(client, 'exec sleep 600');
  await until(() => exec.processes[0] !== undefined);
  const gone = new Promise((resolve) => exec.processes[0]!.once('exit', resolve));
  client.end();
  await gone;
  assert.equal(exec.abandoned, 1);
});

test('a signal reaches the process', async () => {
  const client = await login('web');
  const channel = await open(
    client,
    'trap "echo told; exit 6" TERM; echo up; while :; do sleep 0.05; done',
  );
  await new Promise((resolve) => channel.once('readable', resolve));
  channel.signal('TERM');
  const { stdout, code } = await resultOf(channel);
  assert.equal(stdout, 'up\ntold\n');
  assert.equal(code, 6);
  client.end();
});

test('a flood of both streams arrives whole, and a slow reader holds the process back', async () => {
  const client = await login('web');
  const channel = await open(
    client,
    'head -c 20000000 /dev/zero | tr "\\0" o; head -c 9000000 /dev/zero | tr "\\0" e >&2; echo done',
  );
  channel.pause();
  await until(() => exec.processes[0] !== undefined);
  await stable(() => exec.processes[0]!.stdout!.readableLength);
  assert.equal(exec.processes[0]!.exitCode, null, 'it must wait for its reader');
  const { stdout, stderr } = await resultOf(channel);
  assert.equal(stdout.length, 20_000_005);
  assert.equal(stderr.length, 9_000_000);
  assert.ok(stdout.endsWith('done\n'));
  client.end();
});

test('an unknown container is named, with what to do', async () => {
  const client = await login('nobody');
  const { stderr, code } = await run(client, 'true');
  assert.match(stderr, /No such container: nobody.*docker ps/);
  assert.equal(code, 127);
  client.end();
});

test('an image without a shell is told apart', async () => {
  exec.startError = new Error('exec: "sh": executable file not found in $PATH');
  const client = await login('web');
  const { stderr } = await run(client, 'true');
  assert.match(stderr, /has no shell.*docker exec web PROGRAM/);
  client.end();
});

test('api reaches the engine socket by its path and by its alias', async () => {
  const client = await login('api');
  for (const path of [apiPath, 'docker.sock'])
    assert.equal(await echo(await streamLocal(client, path), 'ping'), 'ping');
  client.end();
});

test('api reaches a port on loopback, and nothing beyond', async () => {
  const listener = createServer((incoming, response) => incoming.pipe(response));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as { port: number };
  const client = await login('api');
  assert.equal(await echo(await tcp(client, '127.0.0.1', port), 'pong'), 'pong');
  await assert.rejects(tcp(client, '192.0.2.1', 80));
  await assert.rejects(tcp(client, 'example.org', 80));
  client.end();
  listener.close();
});

test('api reaches no other socket and gets no shell; a container login reaches no socket', async () => {
  const asApi = await login('api');
  await assert.rejects(streamLocal(asApi, '/run/systemd/private'));
  await assert.rejects(open(asApi, 'id'));
  const asContainer = await login('web');
  await assert.rejects(streamLocal(asContainer, apiPath));
  await assert.rejects(tcp(asContainer, '127.0.0.1', 22));
  asApi.end();
  asContainer.end();
});

test('a key that is not authorized, a password and a forged signature get nowhere', async () => {
  const stranger = makeKeyPair('stranger').private;
  await assert.rejects(login('web', { privateKey: stranger }), /authentication methods failed/);
  await assert.rejects(
    login('web', { privateKey: undefined, password: 'x' }),
    /authentication methods failed/,
  );
  const real = ssh2.utils.parseKey(readPrivateKey(keys.clientKeyPath)) as ssh2.ParsedKey;
  const forged: ssh2.ParsedKey = Object.create(real, {
    sign: { value: () => Buffer.alloc(64, 1) },
  });
  await assert.rejects(
    login('web', {
      privateKey: undefined,
      authHandler: (_left, _partial, next) =>
        next({ type: 'publickey', username: 'web', key: forged }),
    }),
    /closed/,
  );
});

test('a key with options that are not enforced lets nobody in', async () => {
  const path = join(directory, 'restricted');
  const pair = makeKeyPair('other');
  writeFileSync(path, `command="true" ${pair.public}\n`);
  const strict = createSshServer({
    hostKeyPath: keys.hostKeyPath,
    authorizedKeysPath: path,
    apiSocketPath: apiPath,
    backend: { openShell: openShellOverExec(exec), isContainerAddress: () => false },
  });
  const socketPath = await strict.listen({ path: join(directory, 'strict.sock') });
  await assert.rejects(
    login('web', { privateKey: pair.private, sock: connect(socketPath) }),
    /authentication methods failed/,
  );
  await strict.close();
});

test('a list of keys that is not there lets nobody in, and noise hurts nobody', async () => {
  const bare = createSshServer({
    hostKeyPath: keys.hostKeyPath,
    authorizedKeysPath: join(directory, 'nowhere'),
    apiSocketPath: apiPath,
    backend: { openShell: openShellOverExec(exec), isContainerAddress: () => false },
  });
  const path = await bare.listen({ path: join(directory, 'bare.sock') });
  for (const prefix of ['', 'SSH-2.0-noise\r\n']) {
    const socket = connect(path);
    socket.on('error', () => {});
    socket.resume();
    socket.write(Buffer.concat([Buffer.from(prefix), randomBytes(100_000)]));
    await closing(socket);
  }
  await assert.rejects(login('web', { sock: connect(path) }), /authentication methods failed/);
  await bare.close();
});

test('who does not log in is hung up on, and does not keep others out for long', async () => {
  const crowded = createSshServer({
    hostKeyPath: keys.hostKeyPath,
    authorizedKeysPath: keys.authorizedKeysPath,
    apiSocketPath: apiPath,
    backend: { openShell: openShellOverExec(exec), isContainerAddress: () => false },
    loginGraceMs: 1000,
    maxStartups: 4,
  });
  const path = await crowded.listen({ path: join(directory, 'crowded.sock') });
  const silent = await Promise.all(Array.from({ length: 6 }, () => silentSocket(path)));
  await Promise.all(silent.map((socket) => closing(socket)));
  const client = await loginInTime(path);
  assert.equal((await run(client, 'echo in')).stdout, 'in\n');
  client.end();
  await crowded.close();
});

test('a reader that stops does not make the server hold the answer', async () => {
  const client = await login('api');
  const channel = await streamLocal(client, apiPath);
  channel.pause();
  channel.write('GET /flood HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await stable(() => channel.readableLength);
  assert.ok(channel.readableLength < 5 * 1024 * 1024, `${channel.readableLength} bytes ahead`);
  let received = 0;
  for await (const chunk of channel) received += (chunk as Buffer).length;
  assert.ok(received > 20 * 1024 * 1024);
  client.end();
});

function login(username: string, more: Partial<ssh2.ConnectConfig> = {}): Promise<Client> {
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    client.once('ready', () => resolve(client));
    // For its whole life: a reset after the login is not the test's business.
    client.on('error', reject);
    client.once('close', () => reject(new Error('closed')));
    client.connect({
      username,
      sock: more.sock ?? connect(sshPath),
      strictVendor: false,
      privateKey: readPrivateKey(keys.clientKeyPath),
      ...more,
    });
  });
}

function open(client: Client, command: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) =>
    client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel))),
  );
}

async function run(client: Client, command: string) {
  return resultOf(await open(client, command));
}

function resultOf(channel: ClientChannel) {
  return new Promise<{ stdout: string; stderr: string; code: number }>((resolve) => {
    let stdout = '';
    let stderr = '';
    channel.on('data', (data: Buffer) => {
      stdout += data.toString('latin1');
    });
    channel.stderr.on('data', (data: Buffer) => {
      stderr += data.toString('latin1');
    });
    // Not `exit`: that may come together with the channel, before anybody listens.
    channel.on('close', (code: number) => resolve({ stdout, stderr, code }));
    channel.resume();
  });
}

function streamLocal(client: Client, path: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) =>
    client.openssh_forwardOutStreamLocal(path, (error, channel) =>
      error ? reject(error) : resolve(channel),
    ),
  );
}

function tcp(client: Client, address: string, port: number): Promise<ClientChannel> {
  return new Promise((resolve, reject) =>
    client.forwardOut('127.0.0.1', 0, address, port, (error, channel) =>
      error ? reject(error) : resolve(channel),
    ),
  );
}

function echo(channel: Duplex, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ method: 'POST', createConnection: () => channel }, (response) => {
      let text = '';
      response.on('data', (data) => {
        text += data;
      });
      response.on('end', () => resolve(text));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** On a busy machine a login may take longer than the server's grace. */
async function loginInTime(path: string): Promise<Client> {
  for (;;)
    try {
      return await login('web', { sock: connect(path) });
    } catch (error) {
      if (!/closed|ECONNRESET|EPIPE/.test(String(error))) throw error;
    }
}

function silentSocket(path: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(path, () => resolve(socket));
    socket.on('error', () => {});
    socket.resume();
  });
}

function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) =>
    socket.destroyed ? resolve() : socket.once('close', () => resolve()),
  );
}

/** Waits until a figure has stopped changing. */
async function stable(figure: () => number): Promise<void> {
  let last = Number.NaN;
  for (let same = 0; same < 5; ) {
    const now = figure();
    same = now === last ? same + 1 : 0;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}
