/** docker.sock on this computer, over the agent's real SSH server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, linkSync, lstatSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../../../agent/e2e/until.ts';
import { type SshMachine, startSshMachine } from '../ssh/testdata/ssh-machine.ts';
import { type ApiSocket, serveApiSocket } from './api-socket.ts';

let machine: SshMachine;
let engine: Server;
/** Handles the engine's next connections. */
let behave: (socket: Socket) => void;
let socket: ApiSocket;
let path: string;

before(async () => {
  machine = await startSshMachine();
  path = join(machine.directory, 'host', 'docker.sock');
  engine = createServer({ allowHalfOpen: true }, (connection) => {
    connection.on('error', () => {});
    behave(connection);
  });
  await new Promise<void>((resolve) => engine.listen(machine.apiSocketPath, resolve));
  socket = await serve();
});

afterEach(() => {
  behave = echo;
});

after(async () => {
  await socket.close();
  engine.close();
  await machine.close();
});

const echo = (connection: Socket) => void connection.pipe(connection);
behave = echo;
const serve = (at = path) =>
  serveApiSocket({ path: at, openChannel: () => machine.link.openApiChannel() });

test('only its owner may use it', () => {
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a client that has said all still hears the answer', async () => {
  behave = (connection) => {
    let heard = '';
    connection.on('data', (piece) => {
      heard += piece;
    });
    connection.on('end', () => connection.end(`heard ${heard}`));
  };
  const client = dial();
  client.end('stdin');
  assert.equal(await allOf(client), 'heard stdin');
});

test('an engine that has said all still hears the client', async () => {
  const heard = Promise.withResolvers<string>();
  behave = (connection) => {
    connection.end('last word');
    void allOf(connection).then(heard.resolve);
  };
  const client = dial();
  assert.equal(await allOf(client), 'last word');
  client.end('late answer');
  assert.equal(await heard.promise, 'late answer');
});

test('a reader that stops holds the engine back, and then gets everything', async () => {
  const pieces = 400;
  const piece = Buffer.alloc(64 * 1024, 'f');
  let written = 0;
  behave = (connection) => {
    const more = () => {
      while (written < pieces) {
        written += 1;
        if (!connection.write(piece)) return void connection.once('drain', more);
      }
      connection.end();
    };
    more();
  };
  const client = dial();
  await once(client, 'readable');
  const held = await settled(() => written);
  assert.ok(held < pieces / 2, `${held} of ${pieces} pieces were taken`);
  let received = 0;
  for await (const data of client) received += (data as Buffer).length;
  assert.equal(received, pieces * piece.length);
});

test('a thousand connections at once each have their own answer', async () => {
  const clients: Socket[] = [];
  let arrived = 0;
  behave = (connection) => {
    arrived += 1;
    echo(connection);
  };
  for (let wave = 1; wave <= 10; wave += 1) {
    for (let count = 0; count < 100; count += 1) clients.push(dial());
    await until(() => arrived >= wave * 100);
  }
  const answers = await Promise.all(
    clients.map((client, index) => {
      client.end(`n${index}`);
      return allOf(client);
    }),
  );
  assert.deepEqual(
    answers,
    clients.map((_, index) => `n${index}`),
  );
});

test('a connection made while the line is down waits for it', async () => {
  const lost = new Promise((resolve) => machine.link.onConnection((up) => up || resolve(up)));
  machine.cut();
  await lost;
  const client = dial();
  client.end('patience');
  assert.equal(await allOf(client), 'patience');
});

test('a machine that does not answer is told about in the words of HTTP', async () => {
  const mute = await serveApiSocket({
    path: join(machine.directory, 'mute.sock'),
    openChannel: () =>
      Promise.reject(new Error('The machine cannot be reached. It is being tried.')),
  });
  const { status, body } = await new Promise<{ status?: number; body: string }>((resolve, reject) =>
    request({ socketPath: mute.path, path: '/containers/json' }, async (response) => {
      let text = '';
      for await (const part of response) text += part;
      resolve({ status: response.statusCode, body: text });
    })
      .on('error', reject)
      .end(),
  );
  assert.equal(status, 503);
  assert.match(JSON.parse(body).message, /does not answer: The machine cannot be reached/);
  await mute.close();
});

test('a socket that nobody answers is taken over', async () => {
  const at = join(machine.directory, 'stale.sock');
  const dead = createServer();
  await new Promise<void>((resolve) => dead.listen(`${at}.made`, resolve));
  // A crash leaves the file without its listener.
  linkSync(`${at}.made`, at);
  await new Promise((resolve) => dead.close(resolve));
  const mine = await serve(at);
  const client = connect(at);
  client.end('hello');
  assert.equal(await allOf(client), 'hello');
  await mine.close();
  assert.equal(existsSync(at), false);
});

test("another program's socket is left alone, at the start and at the end", async () => {
  const at = join(machine.directory, 'other.sock');
  const other = saying('other');
  await new Promise<void>((resolve) => other.listen(at, resolve));
  await assert.rejects(serve(at), { name: 'SocketTaken', message: /Another program answers at/ });
  assert.equal(await allOf(connect(at)), 'other');
  other.close();

  const mine = await serve(at);
  rmSync(at);
  const later = saying('later');
  await new Promise<void>((resolve) => later.listen(at, resolve));
  await mine.close();
  assert.equal(await allOf(connect(at)), 'later');
  later.close();
});

test('a file that is no socket is left as it is', async () => {
  const at = join(machine.directory, 'notes.txt');
  writeFileSync(at, 'mine');
  await assert.rejects(serve(at), { name: 'SocketTaken', message: /not a socket/ });
  assert.equal(lstatSync(at).size, 4);
});

function saying(word: string): Server {
  return createServer((connection) => {
    // A connection that only checks whether the socket is answered is closed by now.
    connection.on('error', () => {});
    connection.end(word);
  });
}

function dial(): Socket {
  return connect({ path, allowHalfOpen: true });
}

async function allOf(stream: Socket): Promise<string> {
  let text = '';
  for await (const piece of stream.iterator({ destroyOnReturn: false })) text += piece;
  return text;
}

/** The value once it has not changed for a while. */
async function settled(read: () => number): Promise<number> {
  for (let seen = -1; ; ) {
    const now = read();
    if (now === seen) return now;
    seen = now;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
