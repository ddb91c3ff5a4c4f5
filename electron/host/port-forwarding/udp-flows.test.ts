import assert from 'node:assert/strict';
import type { Socket } from 'node:dgram';
import { test } from 'node:test';
import { UdpFlows } from './udp-flows.ts';

const socket = {} as Socket;
const client = (port: number) => ({ address: '127.0.0.1', port });

test('a client keeps its number while it is used, and loses it after 90 idle seconds', () => {
  let nowMs = 0;
  const flows = new UdpFlows(() => nowMs);
  const first = flows.idOf(socket, client(1));
  const second = flows.idOf(socket, client(2));
  assert.notEqual(first, second);
  assert.equal(flows.idOf(socket, client(1)), first);
  nowMs = 60_000;
  // An answer keeps the flow alive too.
  assert.equal(flows.find(second)?.port, 2);
  nowMs = 100_000;
  flows.sweep();
  assert.equal(flows.find(first), undefined);
  assert.equal(flows.find(second)?.port, 2);
  flows.close();
});

test('a flood of clients forgets the least recently used', () => {
  const flows = new UdpFlows(() => 0);
  const [kept, forgotten] = [flows.idOf(socket, client(1)), flows.idOf(socket, client(2))];
  for (let port = 3; port <= 4097; port += 1) {
    flows.idOf(socket, client(1));
    flows.idOf(socket, client(port));
  }
  assert.equal(flows.find(kept)?.port, 1);
  assert.equal(flows.find(forgotten), undefined);
  flows.close();
});
