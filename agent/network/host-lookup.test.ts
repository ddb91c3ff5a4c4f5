import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { test } from 'node:test';
import { decodeQuery, encodeResponse, RecordType, ResponseCode } from '../contract/dns-message.ts';
import { hostLookup } from './host-lookup.ts';

const zone: Record<string, Partial<Record<number, Buffer[]>>> = {
  'registry.vpn.example': {
    [RecordType.a]: [Buffer.from([10, 99, 0, 7]), Buffer.from([10, 99, 0, 8])],
    [RecordType.aaaa]: [Buffer.from('fd000000000000000000000000000007', 'hex')],
  },
};

const lookup = hostLookup({
  isConnected: true,
  ask: async (message) => {
    const query = decodeQuery(message)!;
    const found = zone[query.name];
    const answers = (found?.[query.type] ?? []).map((data) => ({ type: query.type, data }));
    const code = found ? ResponseCode.ok : ResponseCode.noSuchName;
    return encodeResponse(query, code, answers, 5, 'tcp');
  },
});

function addresses(name: string, family?: number): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) =>
    lookup(name, { all: true, family }, (error, found) =>
      error ? reject(error) : resolve(found as LookupAddress[]),
    ),
  );
}

test('a name that the host knows has its addresses, of the family that was asked for', async () => {
  assert.deepEqual(await addresses('registry.vpn.example'), [
    { address: '10.99.0.7', family: 4 },
    { address: '10.99.0.8', family: 4 },
    { address: 'fd00:0:0:0:0:0:0:7', family: 6 },
  ]);
  assert.deepEqual(
    (await addresses('registry.vpn.example', 6)).map(({ family }) => family),
    [6],
  );
});

test('a name that the host does not know is not found, as the system says it', async () => {
  await assert.rejects(addresses('nobody.example'), { code: 'ENOTFOUND' });
});

test('without a host the system is asked', async () => {
  const alone = hostLookup({ isConnected: false, ask: async () => assert.fail('nobody is there') });
  const [found] = await new Promise<string[]>((resolve, reject) =>
    alone('localhost', {}, (error, address) =>
      error ? reject(error) : resolve([String(address)]),
    ),
  );
  assert.match(found ?? '', /^(127\.0\.0\.1|::1)$/);
});
