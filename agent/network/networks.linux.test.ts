/** Networks on a private machine with a neighbour, against real traffic. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { EndpointView } from '../contract/container.ts';
import { patienceMs } from '../e2e/patience.ts';
import { CortenError } from '../errors.ts';
import { createNetworks } from './bridge-networks.ts';
import { addressBytes } from './ipv4.ts';
import type { NetworkDefinition, Networks } from './networks.ts';
import {
  command,
  enterPrivateMachine,
  makeNamespace,
  serve,
  type TestNamespace,
  tries,
} from './testdata/sandbox.ts';

enterPrivateMachine();

const machineAddress = '10.77.0.1';
const neighbourAddress = '10.77.0.2';
const strangerAddress = '10.78.0.2';

let networks: Networks;
let resolvConf: string;
let neighbour: TestNamespace;
/** On another network of the machine. */
let stranger: TestNamespace;
let bridge: NetworkDefinition;
let blue: NetworkDefinition;
let closed: NetworkDefinition;
let web: TestNamespace;
let webEndpoint: EndpointView;
let other: TestNamespace;
const stops: (() => void)[] = [];

before(async () => {
  // A machine that routes for nobody yet.
  command('echo 0 > /proc/sys/net/ipv4/ip_forward');
  neighbour = makeNeighbour('toward', machineAddress, neighbourAddress);
  stranger = makeNeighbour('beyond', '10.78.0.1', strangerAddress);
  resolvConf = join(mkdtempSync(join(tmpdir(), 'corten-network-')), 'resolv.conf');
  writeFileSync(resolvConf, `nameserver ${neighbourAddress}\n`);
  networks = createNetworks({ suffix: 'tst', resolvConf });
  await networks.reconcile({ networks: [], running: [] });
  bridge = define('bridge');
  blue = define('blue', { taken: [bridge] });
  closed = define('closed', { taken: [bridge, blue], internal: true });
  web = makeNamespace();
  other = makeNamespace();
  webEndpoint = await attach(bridge, web, 'web');
  await attach(bridge, other, 'other');
  stops.push(
    web.start('socat TCP-LISTEN:80,fork,reuseaddr SYSTEM:"echo web sees \\$SOCAT_PEERADDR"'),
  );
  stops.push(web.start('socat UDP-RECVFROM:81,fork SYSTEM:"echo web by udp"'));
});

after(async () => {
  for (const stop of stops) stop();
  rmSync(dirname(resolvConf), { recursive: true });
  await networks.close();
});

/** `link` is the machine's end of the cable. */
function makeNeighbour(link: string, ours: string, theirs: string): TestNamespace {
  const made = makeNamespace();
  const place = `/proc/${process.pid}/fd/${made.networkFd}`;
  command(`ip link add ${link} type veth peer name eth0 netns ${place}`);
  command(`ip addr add ${ours}/24 dev ${link}; ip link set ${link} up`);
  made.run(`ip link set lo up; ip addr add ${theirs}/24 dev eth0; ip link set eth0 up`);
  return made;
}

function define(
  name: string,
  extra: { taken?: NetworkDefinition[]; internal?: boolean; subnet?: string } = {},
) {
  return networks.define({
    id: `id of ${name}`,
    name,
    internal: extra.internal ?? false,
    subnet: extra.subnet,
    enableIpv6: false,
    options: {},
    taken: extra.taken ?? [],
  });
}

function attach(
  network: NetworkDefinition,
  sandbox: TestNamespace,
  name: string,
  index: number | 'free' = 0,
  aliases: string[] = [],
) {
  return networks.connect(
    network,
    { containerId: `id-of-${name}`, ...sandbox },
    { network: network.name, aliases, endpointId: `${network.name}/${name}`, containerName: name },
    index === 'free' ? undefined : index,
  );
}

/** What a server answers, tried until it is up; undefined when nothing ever answers. */
function ask(from: { tries(line: string): string | undefined }, where: string, attempts = 200) {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const answer = from.tries(`echo hello | socat -T1 - ${where},connect-timeout=1`);
    if (answer) return answer;
    command('sleep 0.05');
  }
  return undefined;
}

const machine = { tries };
/** Tries that are expected to fail are made once: the server is known to be up by then. */
const once = 1;
/** What answers and closes at once may be missed. */
const few = 3;

/** Its own loopback must not have the address: what came back from it would be dropped there. */
function sendLoopbackTo(from: TestNamespace, gateway: string): void {
  from.run('ip addr del 127.0.0.1/8 dev lo');
  from.run(`ip route add 127.0.0.1/32 via ${gateway}`);
  from.run('echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet');
}

describe('a bridge network', () => {
  test('joins containers to each other and gives them their gateway', () => {
    assert.equal(ask(other, `TCP:${webEndpoint.ipv4Address}:80`), 'web sees 172.17.0.3');
    assert.match(web.run('ip route'), /^default via 172\.17\.0\.1 dev eth0/);
    assert.match(web.run('ip -4 addr show lo'), /127\.0\.0\.1/);
  });

  test('translates source addresses of outgoing packets', () => {
    stops.push(
      neighbour.start('socat TCP-LISTEN:90,fork,reuseaddr SYSTEM:"echo seen as \\$SOCAT_PEERADDR"'),
    );
    assert.equal(ask(web, `TCP:${neighbourAddress}:90`), `seen as ${machineAddress}`);
  });

  test('is closed to a neighbour that routes its addresses to this machine', () => {
    neighbour.run(`ip route add ${bridge.subnet} via ${machineAddress}`);
    assert.equal(ask(neighbour, `TCP:${webEndpoint.ipv4Address}:80`, once), undefined);
  });

  test('keeps its containers from each other where it was made so (enable_icc)', async () => {
    const apart = networks.define({
      ...{ id: 'id of apart', name: 'apart', internal: false, enableIpv6: false },
      options: { 'com.docker.network.bridge.enable_icc': 'false' },
      taken: [bridge, blue, closed],
    });
    const [one, two] = [makeNamespace(), makeNamespace()];
    const views = [await attach(apart, one, 'one'), await attach(apart, two, 'two')];
    stops.push(one.start('socat TCP-LISTEN:93,fork,reuseaddr SYSTEM:"read line; echo one"'));
    const place = `TCP:${views[0]?.ipv4Address}:93`;
    assert.equal(ask(machine, place), 'one');
    assert.equal(ask(two, place, few), undefined);
    for (const view of views) await networks.disconnect(apart, view);
    for (const each of [one, two]) each.close();
  });

  test('does not make the machine a router between its neighbours', () => {
    const answer = 'SYSTEM:"read line; echo stranger"';
    stops.push(stranger.start(`socat TCP-LISTEN:92,fork,reuseaddr ${answer}`));
    assert.equal(ask(machine, `TCP:${strangerAddress}:92`), 'stranger');
    neighbour.run(`ip route add ${strangerAddress} via ${machineAddress}`);
    stranger.run('ip route add default via 10.78.0.1');
    assert.equal(ask(neighbour, `TCP:${strangerAddress}:92`, few), undefined);
    // It routes for containers.
    assert.equal(ask(web, `TCP:${strangerAddress}:92`), 'stranger');
  });

  test('lets no container reach the loopback of the machine', () => {
    const secret = 'SYSTEM:"read line; echo secret"';
    stops.push(serve(`socat TCP-LISTEN:91,bind=127.0.0.1,fork,reuseaddr ${secret}`));
    assert.equal(ask(machine, 'TCP:127.0.0.1:91'), 'secret');
    sendLoopbackTo(other, '172.17.0.1');
    assert.equal(ask(other, 'TCP:127.0.0.1:91', few), undefined);
  });

  test('gives an address that was asked for, and refuses it to a second', async () => {
    const one = makeNamespace();
    const endpoint = {
      network: 'bridge',
      aliases: [],
      endpointId: 'fixed',
      containerName: 'fixed',
      ipv4Address: '172.17.9.9',
    };
    const view = await networks.connect(bridge, { containerId: 'fixed', ...one }, endpoint, 0);
    assert.equal(view.ipv4Address, '172.17.9.9');
    assert.equal(view.macAddress, '02:42:ac:11:09:09');
    assert.match(one.run('ip addr show eth0'), /172\.17\.9\.9\/16.*/);
    await assert.rejects(
      networks.connect(
        bridge,
        { containerId: 'second', ...one },
        { ...endpoint, endpointId: 'second' },
        0,
      ),
      /Address already in use: 172\.17\.9\.9/,
    );
    await networks.disconnect(bridge, view);
    await networks.disconnect(bridge, view);
    assert.equal(one.tries('ip link show eth0'), undefined, 'the pair is gone');
    one.close();
  });

  test('gives whoever joins late the first name that is free, and with the first of them the default route', async () => {
    const one = makeNamespace();
    const name = 'late';
    const first = await attach(bridge, one, name, 'free');
    const second = await attach(blue, one, name, 'free');
    assert.match(one.run('ip -o -4 addr show eth1'), new RegExp(second.ipv4Address));
    await networks.disconnect(bridge, first);
    assert.equal(one.run('ip route show default'), '');
    networks.ensureDefaultRoute({ containerId: name, ...one }, second);
    const { gateway } = second;
    assert.match(one.run('ip route show default'), new RegExp(`^default via ${gateway} dev eth1`));
    one.run('ip route del default');
    const third = await attach(bridge, one, name, 'free');
    assert.match(one.run('ip -o -4 addr show eth0'), new RegExp(third.ipv4Address));
    assert.match(one.run('ip route show default'), /^default via 172\.17\.0\.1 dev eth0/);
    networks.ensureDefaultRoute({ containerId: name, ...one }, second);
    assert.match(one.run('ip route show default'), /^default via 172\.17\.0\.1 dev eth0/);
    for (const [network, view] of [
      [blue, second],
      [bridge, third],
    ] as const)
      await networks.disconnect(network, view);
    one.close();
  });
});

describe('published ports', () => {
  before(async () => {
    const ports = await networks.publish('id-of-web', webEndpoint, [
      { containerPort: 80, protocol: 'tcp', hostPort: 8080 },
      { containerPort: 81, protocol: 'udp', hostPort: 8081 },
      { containerPort: 80, protocol: 'tcp', hostPort: 8082, hostAddress: '127.0.0.1' },
      { containerPort: 80, protocol: 'tcp' },
    ]);
    assert.deepEqual(
      ports.map(({ hostAddress, hostPort }) => `${hostAddress}:${hostPort}`),
      ['0.0.0.0:8080', '0.0.0.0:8081', '127.0.0.1:8082', '0.0.0.0:49153'],
    );
  });

  test('are open to neighbours, who are seen by their own address', () => {
    assert.equal(ask(neighbour, `TCP:${machineAddress}:8080`), `web sees ${neighbourAddress}`);
    assert.equal(ask(neighbour, `TCP:${machineAddress}:49153`), `web sees ${neighbourAddress}`);
  });

  test('are open to the machine itself, by loopback and by its own address', () => {
    assert.equal(ask(machine, 'TCP:127.0.0.1:8080'), 'web sees 172.17.0.1');
    assert.equal(ask(machine, 'TCP:127.0.0.1:8082'), 'web sees 172.17.0.1');
    assert.match(ask(machine, `TCP:${machineAddress}:8080`) ?? '', /^web sees /);
  });

  test('are open to the container itself and to its neighbours in the network', () => {
    assert.equal(ask(web, `TCP:${machineAddress}:8080`), 'web sees 172.17.0.1');
    assert.equal(ask(other, `TCP:${machineAddress}:8080`), 'web sees 172.17.0.1');
  });

  test('work for UDP', () => {
    assert.equal(ask(neighbour, `UDP:${machineAddress}:8081`), 'web by udp');
    assert.equal(ask(machine, 'UDP:127.0.0.1:8081'), 'web by udp');
  });

  test('lead a UDP client that keeps sending to the new container', async () => {
    const published = { containerPort: 81, protocol: 'udp', hostPort: 8071 } as const;
    const fromOnePort = `UDP:${machineAddress}:8071,sourceport=7071,reuseaddr`;
    await networks.publish('id-of-old', webEndpoint, [published]);
    assert.equal(ask(neighbour, fromOnePort), 'web by udp');
    await networks.unpublish('id-of-old');
    const next = makeNamespace();
    const view = await attach(bridge, next, 'next');
    stops.push(next.start('socat UDP-RECVFROM:81,fork SYSTEM:"echo next by udp"'));
    await networks.publish('id-of-next', view, [published]);
    assert.equal(ask(neighbour, fromOnePort), 'next by udp');
    await networks.unpublish('id-of-next');
    await networks.disconnect(bridge, view);
  });

  test('on 127.0.0.1 are closed to a neighbour that sends to that address', () => {
    sendLoopbackTo(neighbour, machineAddress);
    assert.equal(ask(neighbour, 'TCP:127.0.0.1:8082', few), undefined);
    assert.equal(ask(neighbour, `TCP:${machineAddress}:8082`, once), undefined);
  });

  test('that are taken are refused with the name of who has them, and nothing is published', async (t) => {
    const server = createServer().listen(8090, '0.0.0.0');
    const udp = createSocket('udp4').bind(8091);
    t.after(() => {
      server.close();
      udp.close();
    });
    await assert.rejects(
      networks.publish('id-of-x', webEndpoint, [
        { containerPort: 80, protocol: 'tcp', hostPort: 8089 },
        { containerPort: 80, protocol: 'tcp', hostPort: 8090 },
      ]),
      (error) =>
        error instanceof CortenError &&
        error.message.includes('Bind for 0.0.0.0:8090 failed: port is already allocated by') &&
        error.message.includes(`(pid ${process.pid})`),
    );
    await assert.rejects(
      networks.publish('id-of-x', webEndpoint, [
        { containerPort: 1, protocol: 'udp', hostPort: 8091 },
      ]),
      /port is already allocated/,
    );
    assert.equal(tries('nft list table inet corten_tst')?.includes('8089'), false);
    const [port] = await networks.publish('id-of-x', webEndpoint, [
      { containerPort: 80, protocol: 'tcp', hostPort: 8089 },
    ]);
    assert.equal(port?.hostPort, 8089, 'the port of the failed attempt was given back');
    await networks.unpublish('id-of-x');
  });

  test('are held, so that no other program takes them', async () => {
    await assert.rejects(
      new Promise((resolve, reject) => {
        const server = createServer()
          .on('error', reject)
          .listen(8080, '0.0.0.0', () => {
            server.close();
            resolve(undefined);
          });
      }),
      { code: 'EADDRINUSE' },
    );
  });

  test('take the next of a range, and an address that the machine lacks is refused', async () => {
    const [port] = await networks.publish('id-of-y', webEndpoint, [
      { containerPort: 80, protocol: 'tcp', hostPort: 8080, hostPortEnd: 8085 },
    ]);
    assert.equal(port?.hostPort, 8081);
    await networks.unpublish('id-of-y');
    await assert.rejects(
      networks.publish('id-of-y', webEndpoint, [
        { containerPort: 80, protocol: 'tcp', hostPort: 8086, hostAddress: '192.0.2.1' },
      ]),
      /no address 192\.0\.2\.1/,
    );
  });

  test('come back after somebody flushed the ruleset, with the next change', async () => {
    command('nft flush ruleset');
    await networks.publish('id-of-z', webEndpoint, [
      { containerPort: 80, protocol: 'tcp', hostPort: 8095 },
    ]);
    assert.equal(ask(machine, 'TCP:127.0.0.1:8095'), 'web sees 172.17.0.1');
    assert.equal(ask(machine, 'TCP:127.0.0.1:8080'), 'web sees 172.17.0.1');
    await networks.unpublish('id-of-z');
    await networks.unpublish('id-of-z');
    assert.equal(ask(machine, 'TCP:127.0.0.1:8095', once), undefined);
  });
});

describe('user networks', () => {
  let api: TestNamespace;
  let apiEndpoint: EndpointView;
  let client: TestNamespace;

  before(async () => {
    api = makeNamespace();
    client = makeNamespace();
    apiEndpoint = await attach(blue, api, 'api', 0, ['backend']);
    await attach(blue, client, 'client');
    stops.push(api.start('socat TCP-LISTEN:80,fork,reuseaddr SYSTEM:"echo api"'));
  });

  test('are isolated from each other', () => {
    assert.equal(ask(client, `TCP:${apiEndpoint.ipv4Address}:80`), 'api');
    assert.equal(ask(web, `TCP:${apiEndpoint.ipv4Address}:80`, once), undefined);
    assert.equal(ask(client, `TCP:${webEndpoint.ipv4Address}:80`, once), undefined);
    assert.equal(
      ask(client, `TCP:${machineAddress}:8080`),
      'web sees 172.17.0.1',
      'published is public',
    );
  });

  test('know containers by name, alias and short id, by UDP and TCP', async () => {
    const lookUp = (name: string) =>
      client.asks(`busybox nslookup -type=a ${name} ${blue.gateway}`);
    const found = new RegExp(`Address: ${apiEndpoint.ipv4Address}`);
    for (const name of ['api', 'BackEnd', 'api.blue', 'id-of-api'])
      assert.match(await lookUp(name), found);
    networks.rename('id-of-api', 'api', 'server');
    assert.match(await lookUp('server'), found);
    assert.doesNotMatch(await lookUp('api'), found);
    networks.rename('id-of-api', 'server', 'api');
    // The question "api A" with its length in front, as TCP wants it.
    const question = '0015123401000001000000000000036170690000010001';
    const answer = await client.asks(
      `printf ${question} | busybox xxd -r -p | socat -t2 - TCP:${blue.gateway}:53 | busybox xxd -p | tr -d '\\n'`,
    );
    assert.equal(answer.slice(-8), addressBytes(apiEndpoint.ipv4Address).toString('hex'));
  });

  test('pass other questions on to the name servers of the machine', async () => {
    // This name server repeats the question; the test is that its very bytes come back.
    stops.push(neighbour.start('socat UDP-RECVFROM:53,fork SYSTEM:cat'));
    stops.push(neighbour.start('socat TCP-LISTEN:53,fork,reuseaddr SYSTEM:cat'));
    const question = '4321010000010000000000000765786d61706c6503636f6d0000010001';
    const ask = (bytes: string, transport: string) =>
      client.asks(
        `printf ${bytes} | busybox xxd -r -p | socat -t2 - ${transport}:${blue.gateway}:53 | busybox xxd -p | tr -d '\\n'`,
      );
    for (const [bytes, transport] of [
      [question, 'UDP'],
      [`001d${question}`, 'TCP'],
    ] as const) {
      // Until that name server is up.
      const deadline = performance.now() + patienceMs;
      let answer = '';
      while (answer !== bytes && performance.now() < deadline) answer = await ask(bytes, transport);
      assert.equal(answer, bytes);
    }
  });

  test('answer for every network of the one who asks', async () => {
    const green = define('green', { taken: [bridge, blue, closed] });
    const both = makeNamespace();
    const alone = makeNamespace();
    await attach(green, both, 'both');
    await attach(green, alone, 'alone');
    await attach(blue, both, 'both', 1);
    assert.match(
      await both.asks(`busybox nslookup -type=a api ${green.gateway}`),
      /Address: 172\.18/,
    );
    assert.doesNotMatch(
      await alone.asks(`busybox nslookup -type=a api ${green.gateway}`),
      /Address: 172\.18/,
    );
  });

  test('an internal network has no default route', async () => {
    const inner = makeNamespace();
    const mate = makeNamespace();
    const endpoint = await attach(closed, inner, 'inner');
    await attach(closed, mate, 'mate');
    stops.push(inner.start('socat TCP-LISTEN:80,fork,reuseaddr SYSTEM:"echo inner"'));
    assert.equal(ask(mate, `TCP:${endpoint.ipv4Address}:80`), 'inner');
    inner.run(`ip route add default via ${closed.gateway}`);
    assert.equal(ask(inner, `TCP:${neighbourAddress}:90`, once), undefined);
    assert.equal(ask(inner, `TCP:${machineAddress}:8080`, once), undefined);
    assert.deepEqual(
      await networks.publish('id-of-inner', endpoint, [
        { containerPort: 80, protocol: 'tcp', hostPort: 8099 },
      ]),
      [],
    );
  });

  test('are not removed under their containers', async () => {
    await assert.rejects(networks.remove(blue), /active endpoints/);
  });
});

describe('another agent', () => {
  test('takes over after a crash: ports, names and addresses go on, leftovers go', async () => {
    const endpointOf = (
      network: NetworkDefinition,
      name: string,
      address: string,
    ): EndpointView => ({
      networkId: network.id,
      networkName: network.name,
      endpointId: `${network.name}/${name}`,
      ipv4Address: address,
      prefixLength: 16,
      gateway: network.gateway,
      macAddress: '',
      aliases: [],
    });
    // The old agent dies: its sockets close, and nothing else happens.
    await crash(networks);
    const stale = command('ip -br link')
      .split('\n')
      .filter((line) => line.startsWith('cvtst-')).length;
    networks = createNetworks({ suffix: 'tst', resolvConf });
    await networks.reconcile({
      networks: [bridge, blue],
      running: [
        {
          containerId: 'id-of-web',
          containerName: 'web',
          endpoints: [webEndpoint],
          ports: [{ containerPort: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 }],
        },
        {
          containerId: 'id-of-client',
          containerName: 'client',
          endpoints: [endpointOf(blue, 'client', '172.18.0.3')],
          ports: [],
        },
      ],
    });
    const left = command('ip -br link')
      .split('\n')
      .filter((line) => line.startsWith('cvtst-'));
    assert.ok(stale > 2);
    assert.equal(left.length, 2, 'only the two that run keep their pair');
    assert.equal(tries(`ip link show ${closed.bridge}`), undefined, 'the unknown network is gone');
    assert.equal(ask(machine, 'TCP:127.0.0.1:8080'), 'web sees 172.17.0.1');
    assert.equal(
      ask(machine, 'TCP:127.0.0.1:8082', once),
      undefined,
      'what is not published is closed',
    );
    await assert.rejects(
      networks.publish('id-of-q', webEndpoint, [
        { containerPort: 1, protocol: 'tcp', hostPort: 8080 },
      ]),
      /port is already allocated/,
    );
    const fresh = makeNamespace();
    const view = await attach(bridge, fresh, 'fresh');
    assert.notEqual(view.ipv4Address, webEndpoint.ipv4Address);
    await networks.disconnect(bridge, view);
  });

  test('puts containers back into a bridge that was deleted', async () => {
    await crash(networks);
    command(`ip link del ${bridge.bridge}`);
    networks = createNetworks({ suffix: 'tst', resolvConf });
    await networks.reconcile({
      networks: [bridge],
      running: [
        {
          containerId: 'id-of-web',
          containerName: 'web',
          endpoints: [webEndpoint],
          ports: [{ containerPort: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 }],
        },
      ],
    });
    assert.equal(ask(neighbour, `TCP:${machineAddress}:8080`), `web sees ${neighbourAddress}`);
  });

  test('leaves nothing on the machine when nothing runs', async () => {
    await networks.unpublish('id-of-web');
    await networks.disconnect(bridge, webEndpoint);
    await networks.close();
    assert.doesNotMatch(command('ip -br link'), /tst-/);
    assert.equal(command('nft list tables'), '');
    networks = createNetworks({ suffix: 'tst' });
  });
});

/** Drops the sockets and forgets everything else, as the kernel does for a process that dies. */
async function crash(agent: Networks): Promise<void> {
  await agent.close();
}
