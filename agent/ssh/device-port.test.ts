/** SSH over a device: a pseudo-terminal stands for the machine's port. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import ssh2, { type Client } from 'ssh2';
import { DevicePort } from './device-port.ts';
import { prepareKeys, readPrivateKey, type SshKeys } from './keys.ts';
import { createSshServer, type SshServer } from './server.ts';

/** Both ends of a port. Bytes that nobody took wait, as in the machine's buffers. */
class Port {
  guest: Duplex | undefined;
  #host: Duplex | undefined;

  /** The host connects. */
  connect(): Duplex {
    const guest = new Duplex({
      read: () => {},
      write: (chunk, _encoding, done) => {
        this.#host?.push(chunk);
        done();
      },
    });
    const host = this.replace();
    this.guest = guest;
    return host;
  }

  /** Another client takes the place of the one before, and the guest has not noticed. */
  replace(): Duplex {
    this.#host = new Duplex({
      read: () => {},
      write: (chunk, _encoding, done) => {
        this.guest?.push(chunk);
        done();
      },
    });
    return this.#host;
  }

  disconnect(): void {
    const guest = this.guest;
    this.guest = undefined;
    guest?.push(null);
  }
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
  api.close();
  api.closeAllConnections();
  rmSync(directory, { recursive: true });
});

test('a session, its end, and the next one on the same port', async (context) => {
  const { port } = serve(context);
  for (const _ of [1, 2]) {
    const client = await login(port.connect());
    assert.equal(await ask(client, 'docker.sock'), 'pong');
    client.end();
    port.disconnect();
  }
});

test('a client that comes before the last one was seen to leave gets a session of its own', async (context) => {
  const { port } = serve(context);
  const first = await login(port.connect());
  const lost = new Promise((resolve) => first.once('close', resolve));
  const second = await login(port.replace());
  assert.equal(await ask(second, 'docker.sock'), 'pong');
  first.destroy();
  await lost;
});

test('a client of an agent that is gone is told at once', async (context) => {
  const { port, server } = serve(context);
  const client = await login(port.connect());
  const failed = new Promise<Error>((resolve) => client.once('error', resolve));
  await server.close();
  const next = sshServer();
  context.after(() => next.close());
  const guest = port.reopen();
  next.serveDevice(() => guest, assert.ifError);
  assert.match(String(await failed), /packet length|Bad packet/i);
});

test('further connections go through ssh.sock, and only that name and the API lead on', async (context) => {
  const { port, server } = serve(context);
  await server.listen({ path: sshPath });
  const client = await login(port.connect());
  const inner = await login(await streamLocal(client, 'ssh.sock'));
  assert.equal(await ask(inner, 'docker.sock'), 'pong');
  await assert.rejects(streamLocal(client, sshPath), /open failed/i);
  await assert.rejects(streamLocal(client, '/run/other.sock'), /open failed/i);
});
