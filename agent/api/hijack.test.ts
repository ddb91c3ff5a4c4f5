/** Hijacked connections and streams over a real socket, byte by byte as clients send them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { patienceMs } from '../e2e/patience.ts';
import { call } from './testdata/call.ts';
import { type ServedFake, serveFake } from './testdata/serve-fake.ts';

let served: ServedFake;
before(async () => {
  served = await serveFake();
});
after(() => served.close());
beforeEach(() => served.backends.containers.entries.clear());

/** A connection that collects what it is sent. */
class Client {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);

  constructor(...sent: string[]) {
    this.socket = connect({ path: served.socketPath, allowHalfOpen: true });
    this.socket.on('data', (data: Buffer) => {
      this.received = Buffer.concat([this.received, data]);
    });
    this.socket.on('error', () => {});
    for (const part of sent) this.socket.write(part);
  }

  get head(): string {
    return this.received.toString('latin1').split('\r\n\r\n')[0] ?? '';
  }

  get body(): Buffer {
    const end = this.received.indexOf('\r\n\r\n');
    return end < 0 ? Buffer.alloc(0) : this.received.subarray(end + 4);
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await once(this.socket, 'data');
  }

  async ended(): Promise<void> {
    if (!this.socket.readableEnded) await once(this.socket, 'end');
  }
}

const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';

function head(line: string, ...headers: string[]): string {
  return `${line} HTTP/1.1\r\nHost: docker\r\n${headers.join('')}\r\n`;
}

function framed(stream: 1 | 2, text: string): Buffer {
  const data = Buffer.from(text);
  return Buffer.concat([Buffer.from([stream, 0, 0, 0, 0, 0, 0, data.length]), data]);
}

async function create(body: object): Promise<string> {
  const { body: created } = await call(served.api.app, 'POST /containers/create', {
    Image: 'corten/starter',
    ...body,
  });
  return (created as { Id: string }).Id;
}

async function createRunning(body: object): Promise<string> {
  const id = await create(body);
  await served.backends.containers.start(id);
  return id;
}

async function createExec(settings: object): Promise<string> {
  const id = await createRunning({ Cmd: ['sleep'] });
  const { body } = await call(served.api.app, `POST /containers/${id}/exec`, {
    AttachStdout: true,
    AttachStderr: true,
    ...settings,
  });
  return (body as { Id: string }).Id;
}

const all = 'stream=1&stdin=1&stdout=1&stderr=1';

describe('attach', () => {
  test('101 with frames; stdin ends while output goes on', async () => {
    const id = await createRunning({ Cmd: ['after'], OpenStdin: true });
    const client = new Client(head(`POST /v1.47/containers/${id}/attach?${all}`, upgrade));
    await client.until(() => client.body.length >= 0 && client.head !== '');
    assert.match(client.head, /^HTTP\/1\.1 101 UPGRADED\r\n/);
    assert.match(client.head, /Content-Type: application\/vnd\.docker\.multiplexed-stream/);
    client.socket.end('ignored');
    await client.ended();
    assert.deepEqual(client.body, framed(1, 'after the end\n'));
  });

  test('before API 1.42, and without an upgrade, the type is the raw stream’s; frames are sent all the same', async () => {
    for (const [line, status] of [
      [head(`POST /v1.41/containers/ID/attach?${all}`, upgrade), '101 UPGRADED'],
      [head(`POST /containers/ID/attach?${all}`), '200 OK'],
    ] as const) {
      const id = await create({ Cmd: ['err', 'bad'] });
      const client = new Client(line.replace('ID', id));
      await client.until(() => client.head.includes('\r\n'));
      assert.ok(client.head.startsWith(`HTTP/1.1 ${status}\r\n`), client.head);
      assert.match(client.head, /Content-Type: application\/vnd\.docker\.raw-stream/);
      await served.backends.containers.start(id);
      await client.ended();
      assert.deepEqual(client.body, framed(2, 'bad\n'));
    }
  });

  test('what is typed in the same packet as the request reaches the process', async () => {
    const id = await createRunning({ Cmd: ['cat'], OpenStdin: true });
    const client = new Client(`${head(`POST /containers/${id}/attach?${all}`, upgrade)}early`);
    await client.until(() => client.body.includes('early'));
    client.socket.end();
    await client.ended();
    assert.deepEqual(client.body, framed(1, 'early'));
  });

  test('a terminal is raw, and its keys leave it', async () => {
    const id = await createRunning({ Cmd: ['cat'], OpenStdin: true, Tty: true });
    const client = new Client(
      head(`POST /containers/${id}/attach?${all}&detachKeys=ctrl-a,b`, upgrade),
    );
    await client.until(() => client.head.includes('\r\n'));
    assert.match(client.head, /raw-stream/);
    client.socket.write('x\x01y');
    await client.until(() => client.body.toString() === 'x\x01y');
    client.socket.write('\x01');
    client.socket.write('b');
    await client.ended();
    assert.equal(client.body.toString(), 'x\x01y');
    assert.equal(served.backends.containers.inspect(id).state.status, 'running');
  });

  test('errors come as ordinary replies: nobody of that name, bad keys', async () => {
    for (const [line, status] of [
      [`POST /containers/nobody/attach?${all}`, 404],
      [`POST /containers/nobody/attach?${all}&detachKeys=ctrl-`, 400],
      [`POST /v1.99/containers/nobody/attach?${all}`, 400],
    ] as const) {
      const client = new Client(head(line, upgrade));
      await client.ended();
      assert.match(client.head, new RegExp(`^HTTP/1.1 ${status} `));
      assert.ok(JSON.parse(client.body.toString()).message);
    }
  });

  test('a client that leaves in silence ends its attachment', {
    timeout: patienceMs,
  }, async (t) => {
    for (const headers of [[upgrade], []]) {
      const id = await createRunning({ Cmd: ['sleep'], OpenStdin: true });
      const closed = watchClose(t, id);
      const client = new Client(head(`POST /containers/${id}/attach?${all}`, ...headers));
      await client.until(() => client.head.includes('\r\n'));
      client.socket.destroy();
      await closed;
      assert.equal(served.backends.containers.inspect(id).state.status, 'running');
    }
  });

  test('so does one that had ended its input before', { timeout: patienceMs }, async (t) => {
    const id = await createRunning({ Cmd: ['sleep'], OpenStdin: true });
    const closed = watchClose(t, id);
    const client = new Client(head(`POST /containers/${id}/attach?${all}`, upgrade));
    await client.until(() => client.head.includes('\r\n'));
    client.socket.end();
    await once(client.socket, 'finish');
    client.socket.destroy();
    await closed;
  });

  test('a reader that does not read holds the output back', async () => {
    const id = await createRunning({ Cmd: ['sleep'] });
    let taken = 0;
    const { attach } = served.backends.containers;
    served.backends.containers.attach = async (...words) => ({
      ...(await attach.apply(served.backends.containers, words)),
      output: (async function* () {
        for (; taken < 100; taken++)
          yield { stream: 'stdout' as const, data: Buffer.alloc(64 * 1024) };
      })(),
    });
    try {
      const client = new Client(head(`POST /containers/${id}/attach?${all}`, upgrade));
      await once(client.socket, 'data');
      client.socket.pause();
      // Every turn lets as much flow as buffers take; it stops when they are full.
      for (let before = -1; before !== taken; await turns()) before = taken;
      assert.ok(taken < 50, `${taken} pieces of 64 KiB were taken`);
      client.socket.resume();
      await client.ended();
      assert.equal(taken, 100);
      assert.equal(client.body.length, 100 * (64 * 1024 + 8));
    } finally {
      served.backends.containers.attach = attach;
    }
  });

  test('over a WebSocket', async () => {
    const id = await createRunning({ Cmd: ['cat'], OpenStdin: true });
    const socket = new WebSocket(
      `ws+unix://${served.socketPath}:/v1.47/containers/${id}/attach/ws?${all}`,
    );
    await once(socket, 'open');
    socket.send('through');
    const [data] = (await once(socket, 'message')) as [Buffer];
    assert.equal(data.toString(), 'through');
    socket.close();
    await once(socket, 'close');
    const plain = await call(served.api.app, `GET /containers/${id}/attach/ws?${all}`);
    assert.equal(plain.status, 400);
  });
});

describe('exec start', () => {
  const body = '{"Detach":false,"Tty":false}';
  const json = 'Content-Type: application/json\r\n';

  test('with its body as one piece, in chunks and with stdin right behind', async () => {
    const requests = [
      [upgrade, `Content-Length: ${body.length}\r\n`, body],
      [upgrade, 'Transfer-Encoding: chunked\r\n', `1c\r\n${body}\r\n0\r\n\r\n`],
    ];
    for (const parts of requests) {
      const id = await createExec({ Cmd: ['cat'], AttachStdin: true });
      const client = new Client(
        `${head(`POST /v1.47/exec/${id}/start`, json, ...parts.slice(0, -1))}${parts.at(-1)}at once`,
      );
      await client.until(() => client.body.includes('at once'));
      client.socket.end(' later');
      await client.ended();
      assert.deepEqual(
        Buffer.concat([client.body.subarray(8, 15), client.body.subarray(23)]).toString(),
        'at once later',
        parts.join(),
      );
    }
  });

  test('the exit code is there when the stream ends', async () => {
    const id = await createExec({ Cmd: ['exit', '3'] });
    const client = new Client(
      head(`POST /exec/${id}/start`, upgrade, json, 'Content-Length: 2\r\n'),
      '{}',
    );
    await client.ended();
    const { body: document } = await call(served.api.app, `GET /exec/${id}/json`);
    assert.equal((document as { ExitCode: number }).ExitCode, 3);
    const again = await call(served.api.app, `POST /exec/${id}/start`, {});
    assert.equal(again.status, 409);
  });

  test('a command that is not there is told in the stream', async () => {
    const id = await createExec({ Cmd: ['missing'] });
    const client = new Client(
      head(`POST /exec/${id}/start`, upgrade, json, 'Content-Length: 2\r\n'),
      '{}',
    );
    await client.ended();
    assert.match(client.head, /^HTTP\/1\.1 101 /);
    assert.match(client.body.toString(), /executable file not found/);
  });
});

describe('replies that go on', () => {
  test('wait sends its status before the container ends', async () => {
    const id = await createRunning({ Cmd: ['cat'], OpenStdin: true });
    const client = new Client(head(`POST /containers/${id}/wait?condition=next-exit`));
    await client.until(() => client.head.startsWith('HTTP/1.1 200 OK'));
    assert.equal(client.body.length, 0);
    await served.backends.containers.kill(id, 'SIGKILL');
    await client.until(() => client.body.includes('StatusCode'));
    assert.match(client.body.toString(), /\{"StatusCode":137\}/);
    client.socket.destroy();
  });

  test('events and followed logs send theirs at once, and end when the client goes', {
    timeout: patienceMs,
  }, async (t) => {
    const id = await createRunning({ Cmd: ['sleep'] });
    const signals: AbortSignal[] = [];
    const { containers, system } = served.backends;
    const [logs, events] = [containers.logs, system.events];
    t.mock.method(containers, 'logs', (...words: Parameters<typeof logs>) => {
      signals.push(words[1].signal);
      return logs.apply(containers, words);
    });
    t.mock.method(system, 'events', (...words: Parameters<typeof events>) => {
      signals.push(words[0].signal);
      return events.apply(system, words);
    });
    for (const path of ['/events', `/containers/${id}/logs?follow=1&stdout=1`]) {
      const client = new Client(head(`GET ${path}`));
      await client.until(() => client.head.startsWith('HTTP/1.1 200 OK'));
      assert.equal(client.body.length, 0);
      const signal = signals.pop();
      assert.ok(signal !== undefined && !signal.aborted, path);
      client.socket.destroy();
      await once(signal, 'abort');
    }
  });

  test('events end at a time to come', { timeout: patienceMs }, async () => {
    const until = (Date.now() + 300) / 1000;
    served.backends.system.emit('container', 'start', 'abc', {});
    const client = new Client(head(`GET /events?since=0&until=${until}`, 'Connection: close\r\n'));
    await client.ended();
    assert.match(client.body.toString(), /"Action":"start"/);
  });

  test('a pull whose client goes is cancelled', { timeout: patienceMs }, async (t) => {
    let signal: AbortSignal | undefined;
    t.mock.method(
      served.backends.images,
      'pull',
      async function* (request: { signal: AbortSignal }) {
        signal = request.signal;
        yield { status: 'Pulling' };
        await once(request.signal, 'abort');
      },
    );
    const client = new Client(
      head('POST /images/create?fromImage=a&tag=b', 'Content-Length: 0\r\n'),
    );
    await client.until(() => client.body.includes('Pulling'));
    client.socket.destroy();
    while (!signal?.aborted) await turns();
  });
});

/** Resolves when the container's next attachment is closed. */
function watchClose(t: { mock: typeof test.mock }, id: string): Promise<void> {
  const { containers } = served.backends;
  const { attach } = containers;
  return new Promise((resolve) => {
    t.mock.method(containers, 'attach', async (...words: Parameters<typeof attach>) => {
      const attachment = await attach.apply(containers, words);
      return {
        ...attachment,
        close: () => {
          attachment.close();
          if (words[0] === id) resolve();
        },
      };
    });
  });
}

/** Long enough for sockets on this machine to pass on what they can. */
async function turns(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
