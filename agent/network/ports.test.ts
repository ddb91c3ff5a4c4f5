import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { OutsidePorts } from './outside-ports.ts';
import { HostPorts } from './ports.ts';

const target = { containerId: 'c', containerAddress: '172.17.0.2' };

test('a machine that shares its ports with the computer around it leaves them to that one', async () => {
  const outside = new OutsidePorts();
  const asked: number[] = [];
  const open = outside.open.bind(outside);
  outside.open = (request) => {
    asked.push(request.hostPort);
    return open(request);
  };
  // As that computer would have it, which this machine sees as its own.
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '0.0.0.0', resolve));
  const { port: hostPort } = other.address() as { port: number };
  const binding = { containerPort: 80, protocol: 'tcp', hostPort } as const;
  const ports = new HostPorts({ outside, isGuest: true, holdsNone: true });
  const held = await ports.hold(binding, target);
  assert.deepEqual([held.hostPort, asked], [hostPort, [hostPort]]);
  held.release();
  const usual = new HostPorts({ outside, isGuest: true });
  await assert.rejects(usual.hold(binding, target), /address already in use|already/);
  other.close();
});
