/** Published ports, from the agent's message to a client of this computer, over the real SSH server. */
import assert from 'node:assert/strict';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../../../agent/e2e/until.ts';
import { OutsidePorts, type OutsideRequest } from '../../../agent/network/outside-ports.ts';
import { freePort } from '../../../agent/network/testdata/free-port.ts';
import type { ForwardedPort } from '../../contract/forward.ts';
import { type SshMachine, startSshMachine } from '../ssh/testdata/ssh-machine.ts';
import { PublishedPorts } from './published-ports.ts';

let agent: OutsidePorts;
let machine: SshMachine;
let ports: PublishedPorts;
let view: ForwardedPort[] = [];
const stop = new AbortController();
const undo: (() => unknown)[] = [];

before(async () => {
  agent = new OutsidePorts();
  machine = await startSshMachine({ ports: (channel) => agent.serve(channel) });
  ports = new PublishedPorts({
    link: machine.link,
    services: machine.link,
    isOwn: true,
    report: (_what, error) => assert.fail(String(error)),
    retryMs: 20,
    reconnectMs: 10,
  });
  void follow();
  // A start waits for the host only after the hello has arrived.
  await until(async () => {
    const close = await agent.open(request({ hostPort: await freePort() }));
    const isOpen = view.length > 0;
    close();
    return isOpen;
  });
});

async function follow(): Promise<void> {
  for await (const now of ports.watch(stop.signal)) view = now;
}

afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
  await until(() => view.length === 0);
});

after(async () => {
  await ports.close();
  stop.abort();
  await machine.close();
});

test('a port is open once the start has returned, on IPv4 and IPv6, and closed with its end', async () => {
  const { containerPort, hostPort, close } = await publish(await tcpEcho());
  for (const host of ['127.0.0.1', '::1'])
    assert.equal(await say(hostPort, 'hello', host), 'hello');
  assert.deepEqual(view, [
    {
      containerId: 'c'.repeat(64),
      protocol: 'tcp',
      hostAddress: '0.0.0.0',
      hostPort,
      containerPort,
      status: 'open',
      cause: undefined,
      nextStep: undefined,
    },
  ]);
  const standing = await dial(hostPort);
  standing.write('x');
  await once(standing, 'data');
  const broken = once(standing, 'error');
  close();
  assert.equal(((await broken)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
  await until(() => view.length === 0);
  await assert.rejects(dial(hostPort), { code: 'ECONNREFUSED' });
});

test('an address is kept to: 127.0.0.2 only', async () => {
  const { hostPort } = await publish(await tcpEcho(), { hostAddress: '127.0.0.2' });
  assert.equal(await say(hostPort, 'hello', '127.0.0.2'), 'hello');
  await assert.rejects(dial(hostPort), { code: 'ECONNREFUSED' });
});

test('nobody listens in the container: the client is reset', async () => {
  const { hostPort } = await publish(await freePort());
  const client = await dial(hostPort);
  assert.equal(((await once(client, 'error'))[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
});

test('a server that breaks off breaks the client off, after all that it had sent', async () => {
  const server = createServer((socket) => {
    socket.write('part', () => setImmediate(() => socket.resetAndDestroy()));
  });
  const { hostPort } = await publish(await listening(server));
  const client = await dial(hostPort);
  const broken = once(client, 'error');
  assert.equal(String((await once(client, 'data'))[0]), 'part');
  assert.equal(((await broken)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
});

test('a taken port fails the start, names who has it, and is not left half open', async () => {
  const other = createServer();
  const hostPort = await listening(other, '127.0.0.1');
  await assert.rejects(
    agent.open(request({ hostPort })),
    new RegExp(`\\S+ \\(pid ${process.pid}\\) has tcp port ${hostPort}.*stop it, or publish`),
  );
  await until(() => view.length === 0);
});

test('a port that was taken before the host came opens once it is free', async () => {
  const other = createServer();
  const hostPort = await listening(other, '127.0.0.1');
  const target = await tcpEcho();
  undo.push(agent.restore(request({ hostPort, containerPort: target })));
  await until(() => view[0]?.status === 'failed');
  assert.match(view[0]?.cause ?? '', /\S+ \(pid \d+\) has tcp port/);
  assert.match(view[0]?.nextStep ?? '', /stop it, or publish on another port/);
  other.close();
  await until(() => view[0]?.status === 'open');
  assert.equal(await say(hostPort, 'at last'), 'at last');
});

test('taken on IPv6 only: open, and told', async () => {
  const other = createServer();
  undo.push(() => other.close());
  await new Promise<void>((resolve) =>
    other.listen({ port: 0, host: '::', ipv6Only: true }, resolve),
  );
  const { port: hostPort } = other.address() as { port: number };
  await publish(await tcpEcho(), { hostPort });
  assert.equal(view[0]?.status, 'open');
  assert.match(view[0]?.cause ?? '', /on IPv6; on IPv4 it is open/);
});

test('an address that this computer does not have', async () => {
  await assert.rejects(
    agent.open(request({ hostAddress: '192.0.2.7', hostPort: await freePort() })),
    /this computer has no address 192\.0\.2\.7; publish on one that it has/,
  );
});

test('two containers on one port: the second is told about the first', async () => {
  const { hostPort } = await publish(await tcpEcho());
  await assert.rejects(
    agent.open(request({ hostPort, hostAddress: '127.0.0.1', containerId: 'd'.repeat(64) })),
    /container cccccccccccc has tcp port/,
  );
});

test('the line breaks: ports stay open, what was published meanwhile opens, what ended closes', async () => {
  const target = await tcpEcho();
  const kept = await publish(target);
  const ended = await publish(target);
  const lost = new Promise((resolve) => machine.link.onConnection((up) => up || resolve(up)));
  machine.cut();
  await lost;
  ended.close();
  const hostPort = await freePort();
  undo.push(agent.restore(request({ hostPort, containerPort: target })));
  assert.equal(await say(kept.hostPort, 'waited'), 'waited');
  await until(() => view.some((port) => port.hostPort === hostPort) && view.length === 2);
  assert.equal(await say(hostPort, 'new'), 'new');
  await assert.rejects(dial(ended.hostPort), { code: 'ECONNREFUSED' });
});

test('the agent is started anew: what is published as before stays open all the while', async () => {
  const target = await tcpEcho();
  const { hostPort } = await publish(target);
  const old = agent;
  agent = new OutsidePorts();
  // The new agent numbers from the beginning, so another port has the first one's number.
  const other = await freePort();
  // Connections are made all the while, since a listener that closed for a moment would refuse one.
  let isOver = false;
  const trying = (async () => {
    while (!isOver) {
      (await dial(hostPort)).on('error', () => {}).destroy();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const again = [
    agent.restore(request({ hostPort: other, containerPort: target })),
    agent.restore(request({ hostPort, containerPort: target })),
  ];
  machine.cut();
  await until(() => view.length === 2);
  isOver = true;
  await trying;
  assert.equal(await say(hostPort, 'still'), 'still');
  assert.equal(await say(other, 'new'), 'new');
  for (const close of again) close();
  await until(() => view.length === 0);
  agent = old;
  machine.cut();
});

test('of another computer: on the loopback alone, and a port that is taken here stops nothing', async () => {
  const their = new OutsidePorts();
  const computer = await startSshMachine({ ports: (channel) => their.serve(channel) });
  const here = new PublishedPorts({
    link: computer.link,
    services: computer.link,
    isOwn: false,
    report: (_what, error) => assert.fail(String(error)),
    retryMs: 20,
    reconnectMs: 10,
  });
  const over = new AbortController();
  let seen: ForwardedPort[] = [];
  void (async () => {
    for await (const now of here.watch(over.signal)) seen = now;
  })();
  const other = createServer();
  const taken = await listening(other, '127.0.0.1');
  const containerPort = await tcpEcho();
  const ports = [taken, await freePort()];
  for (const hostPort of ports)
    await their.open(request({ hostAddress: '192.0.2.7', hostPort, containerPort }));
  await until(() => seen.length === 2 && seen[1]?.status === 'open');
  assert.deepEqual(
    seen.map(({ status, hostAddress }) => [status, hostAddress]),
    [
      ['failed', 'localhost'],
      ['open', 'localhost'],
    ],
  );
  for (const host of ['127.0.0.1', '::1'])
    assert.equal(await say(ports[1] ?? 0, 'hello', host), 'hello');
  await assert.rejects(dial(ports[1] ?? 0, '127.0.0.2'), { code: 'ECONNREFUSED' });
  await here.close();
  over.abort();
  await computer.close();
});

test('UDP: each client has its own answers, and empty and large datagrams arrive', async () => {
  const server = createSocket('udp4');
  undo.push(() => server.close());
  const seen = new Set<number>();
  server.on('message', (payload, from) => {
    seen.add(from.port);
    server.send(payload, from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  const { hostPort } = await publish(server.address().port, { protocol: 'udp' });
  const clients = Array.from({ length: 20 }, () => createSocket('udp4'));
  undo.push(() => clients.forEach((client) => void client.close()));
  await Promise.all(
    clients.map((client, index) => echoed(client, hostPort, Buffer.from(`n${index}`))),
  );
  assert.equal(seen.size, clients.length, 'the server tells clients apart');
  const [client] = clients as [UdpSocket];
  await echoed(client, hostPort, Buffer.alloc(60_000, 'u'));
  await echoed(client, hostPort, Buffer.alloc(0));
  machine.cut();
  await echoed(client, hostPort, Buffer.from('after the cut'));
});

function request(changes: Partial<OutsideRequest>): OutsideRequest {
  return {
    containerId: 'c'.repeat(64),
    protocol: 'tcp',
    hostAddress: '0.0.0.0',
    hostPort: 0,
    containerAddress: '127.0.0.1',
    containerPort: 9,
    ...changes,
  };
}

async function publish(containerPort: number, changes: Partial<OutsideRequest> = {}) {
  const hostPort = changes.hostPort ?? (await freePort());
  const close = await agent.open(request({ ...changes, containerPort, hostPort }));
  undo.push(close);
  return { containerPort, hostPort, close };
}

async function tcpEcho(): Promise<number> {
  return listening(
    createServer((socket) => {
      socket.on('error', () => {});
      socket.pipe(socket);
    }),
  );
}

async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
  });
  undo.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as { port: number }).port;
}

async function dial(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host });
  undo.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function say(port: number, word: string, host = '127.0.0.1'): Promise<string> {
  const socket = await dial(port, host);
  socket.end(word);
  let text = '';
  for await (const piece of socket) text += piece;
  return text;
}

/** Sends until its echo arrives, because datagrams can be lost, and an earlier echo can arrive late. */
async function echoed(client: UdpSocket, port: number, payload: Buffer): Promise<void> {
  const send = () => client.send(payload, port, '127.0.0.1');
  const again = setInterval(send, 200);
  await new Promise<void>((resolve) => {
    client.on('message', function hear(answer) {
      if (!answer.equals(payload)) return;
      client.off('message', hear);
      resolve();
    });
    send();
  });
  clearInterval(again);
}
