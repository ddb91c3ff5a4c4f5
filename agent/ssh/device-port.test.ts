/** SSH over a machine's port: sessions that end, begin again, and take each other's place. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, before, type TestContext, test } from 'node:test';
import ssh2, { type Client } from 'ssh2';
import { prepareKeys, type SshKeys } from './keys.ts';
import { createSshServer, type SshServer } from './server.ts';

/**
 * A port as QEMU has it: what the guest writes while nobody is connected is lost, and what the host
 * writes waits until the guest has opened its end.
 */
class Port {
  #guest: Duplex | undefined;
  #host: Duplex | undefined;
  #waiting: Buffer[] = [];

  /** The agent opens its end; undefined while the host's is closed. */
  open = (): Duplex | undefined => {
    if (this.#host === undefined) return undefined;
    const guest = end((chunk) => {
      if (this.#guest === guest) this.#host?.push(chunk);
    });
    this.#guest = guest;
    guest.once('close', () => {
      if (this.#guest === guest) this.#guest = undefined;
    });
    for (const chunk of this.#waiting.splice(0)) guest.push(chunk);
    return guest;
  };

  connect(): Duplex {
    const host = end((chunk) => {
      if (this.#host !== host) return;
      if (this.#guest === undefined) this.#waiting.push(chunk);
      else this.#guest.push(chunk);
    });
    this.#host = host;
    return host;
  }

  disconnect(): void {
    this.#host = undefined;
    this.#guest?.push(null);
    this.#guest = undefined;
  }
}

function end(send: (chunk: Buffer) => void): Duplex {
  return new Duplex({
    read: () => {},
    write: (chunk, _encoding, done) => {
      send(chunk);
      done();
    },
  });
}

const directory = mkdtempSync(join(tmpdir(), 'corten-device-'));
const apiPath = join(directory, 'docker.sock');
const sshPath = join(directory, 'ssh.sock');
const api = createServer((_request, response) => response.end('pong'));
let keys: SshKeys;

before(async () => {
  keys = prepareKeys(join(directory, 'keys'));
  await new Promise<void>((resolve) => api.listen(apiPath, resolve));
});
after(() => {
  api.closeAllConnections();
  api.close();
  rmSync(directory, { recursive: true });
});

test('a session, its end, and the next one on the same port', async (t) => {
  const port = new Port();
  serve(t, port);
  for (const _ of ['first', 'second']) {
    const client = await login(port.connect());
    assert.equal(await ask(client), 'pong');
    client.end();
    port.disconnect();
  }
});

test('a client that comes before the last was seen to leave has a session of its own', async (t) => {
  const port = new Port();
  serve(t, port);
  await login(port.connect());
  assert.equal(await ask(await login(port.connect())), 'pong');
});

test('a session that ended on one side leaves the port free for the next', async (t) => {
  const port = new Port();
  serve(t, port);
  const first = await login(port.connect());
  first.end();
  assert.equal(await ask(await login(port.connect())), 'pong');
});

test('a client of an agent that is gone hears it at once from the next agent', async (t) => {
  const port = new Port();
  const server = serve(t, port);
  const client = await login(port.connect());
  const broken = once(client, 'error');
  await server.close();
  serve(t, port);
  assert.match(String(await broken), /packet/i);
});

test('a stranger on the port is turned away, and the next one is heard', async (t) => {
  const port = new Port();
  serve(t, port);
  const stranger = new ssh2.Client();
  const refused = once(stranger, 'error');
  const { private: privateKey } = ssh2.utils.generateKeyPairSync('ed25519');
  stranger.connect({ sock: port.connect(), username: 'api', privateKey });
  assert.match(String(await refused), /authentication methods failed/);
  stranger.on('error', () => {});
  stranger.destroy();
  assert.equal(await ask(await login(port.connect())), 'pong');
});

test('further connections go through the one of the port', async (t) => {
  const port = new Port();
  const server = serve(t, port);
  await server.listen({ path: sshPath });
  const client = await login(port.connect());
  const inner = await login(await streamLocal(client, 'ssh.sock'));
  assert.equal(await ask(inner), 'pong');
  await assert.rejects(streamLocal(client, sshPath), /open failure/);
});

function serve(t: TestContext, port: Port): SshServer {
  const server = createSshServer({
    hostKeyPath: keys.hostKeyPath,
    authorizedKeysPath: keys.authorizedKeysPath,
    apiSocketPath: apiPath,
    sockets: { 'ssh.sock': async () => sshPath },
    backend: {
      openShell: () => Promise.reject(new Error('not asked for')),
      isContainerAddress: () => false,
    },
  });
  server.serveDevice(port.open, assert.ifError);
  t.after(() => server.close());
  return server;
}

async function login(sock: Duplex): Promise<Client> {
  const client = new ssh2.Client();
  client.connect({
    sock,
    username: 'api',
    privateKey: readFileSync(keys.clientKeyPath),
    strictVendor: false,
  });
  await once(client, 'ready');
  // What becomes of a connection later is not what these tests ask, unless they listen.
  client.on('error', () => {});
  return client;
}

async function ask(client: Client): Promise<string> {
  const channel = await streamLocal(client, 'docker.sock');
  channel.write('GET / HTTP/1.0\r\n\r\n');
  let text = '';
  for await (const chunk of channel) text += chunk;
  return text.split('\r\n\r\n')[1] ?? '';
}

function streamLocal(client: Client, name: string): Promise<Duplex> {
  return new Promise((resolve, reject) =>
    client.openssh_forwardOutStreamLocal(name, (error, channel) =>
      error ? reject(error) : resolve(channel),
    ),
  );
}
