/** Networks of a machine that is a VM: names of the host, names by the host, ports on the host. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { after, before, test } from 'node:test';
import type { EndpointView } from '../contract/container.ts';
import { decodeQuery, encodeResponse, RecordType, ResponseCode } from '../contract/dns-message.ts';
import { FrameReader, framed } from '../contract/framing.ts';
import { type FromHost, frameOf, messageIn, type ToHost } from '../contract/outside-ports.ts';
import { until } from '../e2e/until.ts';
import { createNetworks } from './bridge-networks.ts';
import { HostResolver } from './host-resolver.ts';
import type { NetworkDefinition, Networks } from './networks.ts';
import { OutsidePorts } from './outside-ports.ts';
import {
  command,
  enterPrivateMachine,
  makeNamespace,
  type TestNamespace,
} from './testdata/sandbox.ts';

enterPrivateMachine();

const outsidePorts = new OutsidePorts();
const hostResolver = new HostResolver();
let resolvConf: string;
let networks: Networks;
let bridge: NetworkDefinition;
let closed: NetworkDefinition;
let web: TestNamespace;
let endpoint: EndpointView;

before(async () => {
  command(
    'ip link add way type veth peer name far; ip link set far up; ip addr add 10.0.2.15/24 dev way; ip link set way up',
  );
  command('ip route add default via 10.0.2.2');
  resolvConf = join(mkdtempSync(join(tmpdir(), 'corten-guest-')), 'resolv.conf');
  writeFileSync(resolvConf, '');
  networks = createNetworks({
    suffix: 'gst',
    resolvConf,
    hostAddress: 'gateway',
    outsidePorts,
    hostResolver,
  });
  await networks.reconcile({ networks: [], running: [] });
  bridge = define('bridge');
  closed = define('closed', true);
  web = makeNamespace();
  endpoint = await attach(bridge, web);
});

after(async () => {
  await networks.close();
  rmSync(dirname(resolvConf), { recursive: true });
});

test("the host's names lead to where the default route does, on every network that is not internal", async () => {
  assert.equal(networks.hostAddress('172.17.0.1'), '10.0.2.2');
  assert.deepEqual(networks.nameservers(bridge), [bridge.gateway]);
  for (const name of ['host.corten.internal', 'HOST.docker.internal'])
    assert.match(await look(web, bridge, name), /Address: 10\.0\.2\.2/);
  const inner = makeNamespace();
  await attach(closed, inner);
  assert.doesNotMatch(await look(inner, closed, 'host.corten.internal'), /10\.0\.2\.2/);
});

test('names are resolved by the host while it is connected', async () => {
  assert.doesNotMatch(await look(web, bridge, 'wiki.vpn.example'), /10\.99/);
  const [host, channel] = duplexPair();
  hostResolver.serve(channel);
  const frames = new FrameReader();
  host.on('data', (piece: Buffer) => {
    for (const message of frames.push(piece)) {
      const query = decodeQuery(message)!;
      const known = query.name === 'wiki.vpn.example';
      const answers = known ? [{ type: RecordType.a, data: Buffer.from([10, 99, 0, 7]) }] : [];
      const code = known ? ResponseCode.ok : ResponseCode.noSuchName;
      host.write(framed(encodeResponse(query, code, answers, 5, 'tcp')));
    }
  });
  assert.match(await look(web, bridge, 'wiki.vpn.example'), /Address: 10\.99\.0\.7/);
  assert.match(await look(web, bridge, 'no.such.example'), /NXDOMAIN/);
  host.destroy();
});

test('ports are told to the host: addresses that only it has, and refusals', async () => {
  const { host, heard } = connectHost(true);
  const refused = await networks
    .publish('id', endpoint, [
      { containerPort: 80, protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 81 },
    ])
    .then(
      () => undefined,
      (error: Error) => error.message,
    );
  assert.match(
    refused ?? '',
    /Bind for 127\.0\.0\.1:81 failed: port is already allocated: taken by x; stop x/,
  );
  const published = await networks.publish('id', endpoint, [
    { containerPort: 80, protocol: 'tcp', hostAddress: '192.0.2.9', hostPort: 8080 },
    { containerPort: 80, protocol: 'tcp', hostAddress: '::1', hostPort: 8080 },
    // 81 is taken on the host: the next of the range.
    { containerPort: 80, protocol: 'tcp', hostPort: 81, hostPortEnd: 82 },
  ]);
  assert.deepEqual(
    published.map(({ hostAddress, hostPort }) => [hostAddress, hostPort]),
    [
      ['192.0.2.9', 8080],
      ['::1', 8080],
      ['0.0.0.0', 82],
    ],
  );
  const late = connectHost(false);
  await until(() => late.heard.length > 0);
  const [first] = late.heard;
  assert.ok(first !== undefined && 'all' in first);
  assert.deepEqual(
    first.all.map(({ hostAddress, containerAddress, containerPort, containerId }) => [
      hostAddress,
      containerAddress,
      containerPort,
      containerId,
    ]),
    ['192.0.2.9', '::1', '0.0.0.0'].map((address) => [address, endpoint.ipv4Address, 80, 'id']),
  );
  await networks.unpublish('id');
  await until(() => heard.filter((message) => 'close' in message).length >= 3);
  host.destroy();
  late.host.destroy();
});

/** A host that has every port but 81. */
function connectHost(decides: boolean): { host: Duplex; heard: ToHost[] } {
  const [host, channel] = duplexPair();
  const heard: ToHost[] = [];
  const say = (message: FromHost) => host.write(frameOf(message));
  const frames = new FrameReader();
  host.on('data', (piece: Buffer) => {
    for (const frame of frames.push(piece)) {
      const message = messageIn<ToHost>(frame)!;
      heard.push(message);
      if (!('open' in message)) continue;
      const { id, hostPort } = message.open;
      const failure = { kind: 'taken', cause: 'taken by x', nextStep: 'stop x' } as const;
      say(hostPort === 81 ? { failed: id, failure } : { opened: id });
    }
  });
  outsidePorts.serve(channel);
  say({ hello: { decides } });
  return { host, heard };
}

function define(name: string, internal = false): NetworkDefinition {
  return networks.define({
    id: `id of ${name}`,
    name,
    internal,
    enableIpv6: false,
    options: {},
    taken: bridge === undefined ? [] : [bridge],
  });
}

function attach(network: NetworkDefinition, sandbox: TestNamespace): Promise<EndpointView> {
  const { name } = network;
  return networks.connect(
    network,
    { containerId: `id-in-${name}`, ...sandbox },
    { network: name, aliases: [], endpointId: `${name}/c`, containerName: `in-${name}` },
    0,
  );
}

/** nslookup exits with 1 where a name has no address; its words are what is looked at. */
function look(from: TestNamespace, { gateway }: NetworkDefinition, name: string): Promise<string> {
  return from.asks(`busybox nslookup -type=a ${name} ${gateway} 2>&1 || true`);
}
