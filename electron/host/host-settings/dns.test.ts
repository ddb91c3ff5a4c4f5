/** From the agent's question to this computer's resolvers and back, over the real SSH server. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import {
  decodeAnswer,
  decodeQuery,
  encodeQuery,
  encodeResponse,
  RecordType,
  ResponseCode,
} from '../../../agent/contract/dns-message.ts';
import { FrameReader, framed } from '../../../agent/contract/framing.ts';
import type { NameServer } from '../../../agent/contract/name-servers.ts';
import { until } from '../../../agent/e2e/until.ts';
import { HostResolver } from '../../../agent/network/host-resolver.ts';
import { type SshMachine, startSshMachine } from '../ssh/testdata/ssh-machine.ts';
import { serveHostDns } from './dns.ts';

const txt = 16;
const agent = new HostResolver();
const hosts: Record<string, { address: string; family: number }[]> = {
  'wiki.vpn.example': [
    { address: '10.99.0.7', family: 4 },
    { address: 'fd00::10.99.0.7', family: 6 },
  ],
  'only4.example': [{ address: '192.0.2.4', family: 4 }],
  'this-computer': [{ address: '127.0.1.1', family: 4 }],
};
let machine: SshMachine;
let dns: { close(): void };
let servers: NameServer[];
const udp = createSocket('udp4');
const tcp = createServer((socket) => {
  const frames = new FrameReader();
  socket.on('error', () => {});
  socket.on('data', (piece: Buffer) => {
    for (const message of frames.push(piece)) socket.end(framed(reply(message, 'tcp')));
  });
});

before(async () => {
  await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
  const { port } = udp.address();
  await new Promise<void>((resolve) => tcp.listen(port, '127.0.0.1', resolve));
  udp.on('message', (message, from) => udp.send(reply(message, 'udp'), from.port, from.address));
  servers = [{ address: '127.0.0.1', port }];
  machine = await startSshMachine({ dns: (channel) => agent.serve(channel) });
  dns = serveHostDns({
    link: machine.link,
    lookUp: async (name) =>
      hosts[name] ?? Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
    servers: () => servers,
    reconnectMs: 5,
  });
  await until(() => agent.isConnected);
});

after(async () => {
  dns.close();
  await machine.close();
  udp.close();
  tcp.close();
});

/** A name server that knows one name, whose text is too long for UDP. */
function reply(message: Buffer, transport: 'udp' | 'tcp'): Buffer {
  const query = decodeQuery(message)!;
  if (query.name !== 'text.example')
    return encodeResponse(query, ResponseCode.noSuchName, [], 5, transport);
  const line = Buffer.concat([Buffer.of(200), Buffer.alloc(200, 't')]);
  const answers = query.type === txt ? Array(10).fill({ type: txt, data: line }) : [];
  return encodeResponse(query, ResponseCode.ok, answers, 5, transport);
}

test('addresses come from the system, of either family', async () => {
  assert.deepEqual(await ask('wiki.vpn.example', RecordType.a), { code: 0, data: ['0a630007'] });
  assert.deepEqual(await ask('wiki.vpn.example', RecordType.aaaa), {
    code: 0,
    data: ['fd00000000000000000000000a630007'],
  });
});

test('a name with addresses of the other family only exists', async () => {
  assert.deepEqual(await ask('only4.example', RecordType.aaaa), { code: 0, data: [] });
});

test('a name that the system does not find is what the name servers say of it', async () => {
  assert.equal((await ask('nobody.example', RecordType.a)).code, ResponseCode.noSuchName);
  assert.deepEqual(await ask('text.example', RecordType.a), { code: 0, data: [] });
});

test("this computer's own name is not the container's loopback", async () => {
  assert.equal((await ask('this-computer', RecordType.a)).code, ResponseCode.noSuchName);
});

test('other records come whole, by TCP where UDP has no room', async () => {
  assert.equal((await ask('text.example', txt)).data.length, 10);
});

test('no name server: a failure, and not silence', async () => {
  const before = servers;
  servers = [];
  assert.equal((await ask('nobody.example', txt)).code, ResponseCode.serverFailure);
  servers = before;
});

test('hundreds of questions at once each have their own answer, over a line that was cut', async () => {
  machine.cut();
  await until(() => !agent.isConnected);
  await until(() => agent.isConnected);
  for (let index = 0; index < 300; index += 1)
    hosts[`n${index}.example`] = [{ address: `10.1.${index >> 8}.${index & 255}`, family: 4 }];
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, index) => ask(`n${index}.example`, RecordType.a)),
  );
  answers.forEach(({ data }, index) => {
    assert.equal(data[0], Buffer.from([10, 1, index >> 8, index & 255]).toString('hex'));
  });
});

async function ask(name: string, type: number): Promise<{ code: number; data: string[] }> {
  const answer = await agent.ask(encodeQuery(name, type));
  const decoded = answer && decodeAnswer(answer);
  assert.ok(decoded, `no answer for ${name}`);
  return { code: decoded.code, data: decoded.records.map(({ data }) => data.toString('hex')) };
}
