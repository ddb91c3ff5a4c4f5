/** The guest's end of a UDP port, with a channel in memory and real sockets. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { FrameReader, framed } from '../contract/framing.ts';
import {
  flowHeader,
  parseUdpRelayName,
  readDatagram,
  udpRelayName,
} from '../contract/udp-relay.ts';
import { relayDatagrams } from './udp-relay.ts';

async function start(options: { flowIdleMs?: number; flowLimit?: number } = {}) {
  const server = createSocket('udp4');
  const ports: number[] = [];
  server.on('message', (payload, from) => {
    ports.push(from.port);
    server.send(payload, from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  const [host, channel] = duplexPair();
  relayDatagrams(channel, { address: '127.0.0.1', port: server.address().port, ...options });
  const waiting: ((answer: { flow: number; payload: string }) => void)[] = [];
  const frames = new FrameReader();
  host.on('data', (piece: Buffer) => {
    for (const frame of frames.push(piece)) {
      const { flow, payload } = readDatagram(frame)!;
      waiting.shift()?.({ flow, payload: payload.toString() });
    }
  });
  return {
    ports,
    host,
    ask: (flow: number, text: string) =>
      new Promise<{ flow: number; payload: string }>((resolve) => {
        waiting.push(resolve);
        host.write(framed(flowHeader(flow), Buffer.from(text)));
      }),
    close: () => {
      channel.destroy();
      server.close();
    },
  };
}

test('a flow keeps its socket; another has its own', async () => {
  const relay = await start();
  assert.deepEqual(await relay.ask(1, 'a'), { flow: 1, payload: 'a' });
  assert.deepEqual(await relay.ask(0xffff_ffff, 'b'), { flow: 0xffff_ffff, payload: 'b' });
  assert.deepEqual(await relay.ask(1, 'c'), { flow: 1, payload: 'c' });
  assert.equal(relay.ports[0], relay.ports[2]);
  assert.notEqual(relay.ports[0], relay.ports[1]);
  relay.close();
});

test('an idle flow is forgotten, and its next datagram begins anew', async () => {
  const relay = await start({ flowIdleMs: 20 });
  await relay.ask(1, 'a');
  do {
    await new Promise((resolve) => setTimeout(resolve, 60));
    await relay.ask(1, 'b');
  } while (relay.ports.at(-1) === relay.ports[0]);
  relay.close();
});

test('more flows than there may be: the least recently used goes', async () => {
  const relay = await start({ flowLimit: 2 });
  await relay.ask(1, 'a');
  await relay.ask(2, 'b');
  await relay.ask(1, 'a');
  await relay.ask(3, 'c');
  await relay.ask(1, 'a');
  assert.equal(relay.ports[4], relay.ports[0]);
  await relay.ask(2, 'b');
  assert.notEqual(relay.ports[5], relay.ports[1]);
  relay.close();
});

test('frames that are none hurt nobody', async () => {
  const relay = await start();
  relay.host.write(framed(Buffer.from([1, 2])));
  relay.host.write(framed(flowHeader(7)));
  assert.deepEqual(await relay.ask(1, 'a'), { flow: 7, payload: '' });
  relay.close();
});

test('names of relays', () => {
  assert.deepEqual(parseUdpRelayName(udpRelayName('172.17.0.2', 53)), {
    address: '172.17.0.2',
    port: 53,
  });
  assert.deepEqual(parseUdpRelayName('udp:::1:53'), { address: '::1', port: 53 });
  for (const name of [
    'udp:host:53',
    'udp:1.2.3.4:0',
    'udp:1.2.3.4:65536',
    'udp:1.2.3.4',
    'docker.sock',
  ])
    assert.equal(parseUdpRelayName(name), undefined, name);
});
