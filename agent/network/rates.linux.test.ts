/**
 * Rates against a real TCP stream that would go on as fast as it can. What arrives is counted over
 * as long as it takes to be sure, never over a fixed time, and a neighbour streams beside it.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EndpointView } from '../contract/container.ts';
import type { NetworkRates } from '../contract/limits.ts';
import { createNetworks } from './bridge-networks.ts';
import type { NetworkDefinition, Networks } from './networks.ts';
import {
  command,
  enterPrivateMachine,
  makeNamespace,
  type TestNamespace,
} from './testdata/sandbox.ts';

enterPrivateMachine();

const rate = 2_000_000;

let networks: Networks;
let bridge: NetworkDefinition;
const hosts = new Map<string, { sandbox: TestNamespace; endpoint: EndpointView }>();

before(async () => {
  networks = createNetworks({ suffix: 'rte' });
  await networks.reconcile({ networks: [], running: [] });
  bridge = networks.define({
    ...{ id: 'bridge', name: 'bridge', internal: false, enableIpv6: false },
    options: {},
    taken: [],
  });
  for (const name of ['limited', 'peer', 'neighbour']) await join(name);
});

after(async () => {
  for (const end of streams) end();
  for (const { sandbox, endpoint } of hosts.values()) {
    sandbox.close();
    await networks.disconnect(bridge, endpoint);
  }
  await networks.close();
});

async function join(name: string): Promise<void> {
  const sandbox = makeNamespace();
  const endpoint = await networks.connect(
    bridge,
    { containerId: name, ...sandbox },
    { network: 'bridge', aliases: [], endpointId: name, containerName: name },
    0,
  );
  hosts.set(name, { sandbox, endpoint });
}

function host(name: string) {
  const found = hosts.get(name);
  assert.ok(found);
  return found;
}

const limit = (rates: NetworkRates) => networks.limitRates(host('limited').endpoint, rates);

function received(name: string): number {
  const counters = host(name).sandbox.run('cat /proc/net/dev');
  return Number(/eth0:\s*(\d+)/.exec(counters)?.[1]);
}

let nextPort = 2000;
/** A test that fails leaves its own running, and this program would wait for them. */
const streams = new Set<() => void>();

/** Streams until it is ended, as fast as it may. */
async function stream(from: string, to: string): Promise<{ end: () => void }> {
  const port = nextPort++;
  const sink = host(to).sandbox.start(`socat -u TCP-LISTEN:${port},reuseaddr OPEN:/dev/null`);
  const before = received(to);
  const address = host(to).endpoint.ipv4Address;
  const source = host(from).sandbox.start(
    `socat -u OPEN:/dev/zero TCP:${address}:${port},retry=200,interval=0.05`,
  );
  const end = () => {
    streams.delete(end);
    source();
    sink();
  };
  streams.add(end);
  for (let tries = 0; received(to) < before + 100_000; tries++) {
    assert.ok(tries < 1000, `nothing of the stream arrives at ${to}`);
    await sleep(20);
  }
  return { end };
}

/** Bytes a second that arrive, headers included. */
async function rateInto(name: string, bytes: number): Promise<number> {
  // The clock is read around the counters: a wait between the two never makes a rate too high.
  const begin = process.hrtime.bigint();
  const first = received(name);
  let arrived = 0;
  while (arrived < bytes) {
    await sleep(50);
    arrived = received(name) - first;
  }
  return arrived / (Number(process.hrtime.bigint() - begin) / 1e9);
}

/**
 * The same, where a busy machine may take from a stream what it would get, and a slow one may stand still for a second
 * or more until TCP sends again (RFC 6298): too little has to last for four looks.
 */
async function lastingRateInto(name: string, bytes: number, least: number): Promise<number> {
  let measured = 0;
  for (let looks = 0; looks < 4 && measured <= least; looks++)
    measured = await rateInto(name, bytes);
  return measured;
}

/** Nothing gives a stream more than its rate. */
async function assertHeld(name: string, wanted = rate): Promise<void> {
  // The bucket and TCP's beginning are no part of so much.
  const measured = await lastingRateInto(name, 3 * wanted, wanted / 2);
  assert.ok(measured < 1.25 * wanted, `${Math.round(measured)} of ${wanted} bytes a second`);
  assert.ok(measured > 0.5 * wanted, `only ${Math.round(measured)} of ${wanted} bytes a second`);
}

/** More than any limit here would let through. */
async function assertFree(name: string): Promise<void> {
  const least = 2.5 * rate;
  const measured = await lastingRateInto(name, 20 * rate, least);
  assert.ok(measured > least, `only ${Math.round(measured)} bytes a second without a limit`);
}

test('what a container sends is held, and its neighbour and the way back are not', async () => {
  await limit({ egressBytesPerSecond: rate });
  const sending = await stream('limited', 'peer');
  await assertHeld('peer');
  const beside = await stream('neighbour', 'limited');
  await assertFree('limited');
  await assertHeld('peer');
  for (const one of [sending, beside]) one.end();
});

test('what a container receives is held, and its neighbour is not', async () => {
  await limit({ ingressBytesPerSecond: rate });
  const receiving = await stream('peer', 'limited');
  await assertHeld('limited');
  const beside = await stream('peer', 'neighbour');
  await assertFree('neighbour');
  await assertHeld('limited');
  for (const one of [receiving, beside]) one.end();
});

test('rates change and go away under a stream that runs', async () => {
  await limit({ egressBytesPerSecond: rate });
  const sending = await stream('limited', 'peer');
  await assertHeld('peer');
  await limit({ egressBytesPerSecond: 3 * rate });
  await assertHeld('peer', 3 * rate);
  await limit({});
  await assertFree('peer');
  sending.end();
});

test('both are held at once, slow ones too, and a ping gets through', async () => {
  const slow = 100_000;
  await limit({ egressBytesPerSecond: slow, ingressBytesPerSecond: slow });
  const [out, into] = [await stream('limited', 'peer'), await stream('neighbour', 'limited')];
  await Promise.all([assertHeld('peer', slow), assertHeld('limited', slow)]);
  for (const one of [out, into]) one.end();
  const { ipv4Address } = host('peer').endpoint;
  host('limited').sandbox.run(`busybox ping -c 3 -W 15 ${ipv4Address}`);
});

test('an agent that starts anew leaves limits alone, and takes those of nobody away', async () => {
  await limit({ egressBytesPerSecond: rate, ingressBytesPerSecond: rate });
  const { endpoint } = host('limited');
  const held = { egressBytesPerSecond: rate, ingressBytesPerSecond: rate };
  assert.deepEqual(networks.rates(endpoint), held);
  const others = [...hosts].filter(([name]) => name !== 'limited');
  const shapers = () => command('ip -br link show type ifb | wc -l');
  assert.equal(shapers(), '1');
  const state = (names: string[]) => ({
    networks: [bridge],
    running: names.map((name) => ({
      ...{ containerId: name, containerName: name, ports: [] },
      endpoints: [host(name).endpoint],
    })),
  });
  await networks.close();
  networks = createNetworks({ suffix: 'rte' });
  await networks.reconcile(state([...hosts.keys()]));
  const sending = await stream('limited', 'peer');
  await assertHeld('peer');
  sending.end();
  await networks.close();
  networks = createNetworks({ suffix: 'rte' });
  await networks.reconcile(state(others.map(([name]) => name)));
  assert.equal(shapers(), '0');
});

test('a limit ends with its endpoint, and a limit of what is gone is none', async () => {
  host('limited').sandbox.close();
  hosts.delete('limited');
  await join('limited');
  await limit({ egressBytesPerSecond: rate });
  const { endpoint, sandbox } = host('limited');
  await networks.disconnect(bridge, endpoint);
  sandbox.close();
  hosts.delete('limited');
  assert.equal(command('ip -br link show type ifb | wc -l'), '0');
  await networks.limitRates(endpoint, { egressBytesPerSecond: rate });
  assert.equal(command('ip -br link show type ifb | wc -l'), '0');
});
