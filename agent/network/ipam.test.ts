import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressLeases, checkRange, checkSubnet, chooseGateway, chooseSubnet } from './ipam.ts';
import { parseAddress, parseSubnet } from './ipv4.ts';
import type { NetworkDefinition } from './networks.ts';

const network: NetworkDefinition = {
  id: 'n',
  name: 'n',
  bridge: 'ct-n',
  subnet: '10.0.0.0/29',
  gateway: '10.0.0.1',
  internal: false,
  enableIpv6: false,
  options: {},
};

test('the first free piece of the pools is chosen, and wider routes count as taken', () => {
  assert.equal(chooseSubnet([]), '172.17.0.0/16');
  assert.equal(chooseSubnet([parseSubnet('172.17.4.0/24')]), '172.18.0.0/16');
  assert.equal(chooseSubnet([parseSubnet('172.16.0.0/12')]), '192.168.0.0/20');
  assert.equal(
    chooseSubnet([parseSubnet('172.16.0.0/12'), parseSubnet('192.168.17.1/32')]),
    '192.168.0.0/20',
  );
  assert.throws(
    () => chooseSubnet([parseSubnet('172.16.0.0/12'), parseSubnet('192.168.0.0/16')]),
    /no free subnet/,
  );
});

test('what a person asks for is checked', () => {
  const inUse = [{ subnet: parseSubnet('10.1.0.0/16'), by: 'network blue' }];
  assert.throws(() => checkSubnet('10.1.2.0/24', inUse), /network blue/);
  assert.throws(() => checkSubnet('10.2.0.0/31', inUse), /too small/);
  for (const wrong of [
    '10.2.0.0',
    '10.2.0/24',
    '010.2.0.0/24',
    '10.2.0.256/24',
    '10.2.0.0/33',
    'fd00::/64',
  ])
    assert.throws(() => checkSubnet(wrong, inUse), { kind: 'invalid' }, wrong);
  const subnet = checkSubnet('10.2.0.7/24', inUse);
  assert.equal(chooseGateway(subnet, undefined), '10.2.0.1');
  assert.throws(() => chooseGateway(subnet, '10.3.0.1'), /not a host address/);
  assert.throws(() => chooseGateway(subnet, '10.2.0.255'), /not a host address/);
  assert.throws(() => checkRange(subnet, '10.2.1.0/25'), /not inside/);
});

test('addresses go round, never to two at once, and end with a clear word', () => {
  const leases = new AddressLeases();
  const given = ['a', 'b', 'c', 'd', 'e'].map((id) => leases.reserve(network, id));
  assert.deepEqual(given, ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
  assert.throws(() => leases.reserve(network, 'f'), /no free address/);
  leases.release('n', 'somebody else', '10.0.0.3');
  assert.throws(() => leases.reserve(network, 'f'), /no free address/);
  leases.release('n', 'b', '10.0.0.3');
  assert.equal(leases.reserve(network, 'f'), '10.0.0.3');
});

test('an address that was just given back rests while others are free', () => {
  const leases = new AddressLeases();
  leases.release('n', 'a', leases.reserve(network, 'a'));
  assert.equal(leases.reserve(network, 'b'), '10.0.0.3');
});

test('addresses at the upper end are numbers like others', () => {
  assert.equal(parseAddress('255.255.255.255'), 4294967295);
  assert.deepEqual(parseSubnet('192.168.255.255/20'), {
    base: parseAddress('192.168.240.0'),
    prefixLength: 20,
  });
});
