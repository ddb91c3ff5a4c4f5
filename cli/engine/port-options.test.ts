import assert from 'node:assert/strict';
import { test } from 'node:test';
import { portSettings } from './port-options.ts';

test('publish: each form that docker run takes', () => {
  assert.deepEqual(portSettings(['80', '8080:80', '127.0.0.1:53:53/udp', '[::1]::443']), {
    exposed: { '80/tcp': {}, '53/udp': {}, '443/tcp': {} },
    bindings: {
      '80/tcp': [{ HostPort: '' }, { HostPort: '8080' }],
      '53/udp': [{ HostIp: '127.0.0.1', HostPort: '53' }],
      '443/tcp': [{ HostIp: '::1', HostPort: '' }],
    },
  });
});

test('publish: anything else is wrong usage, named', () => {
  for (const text of ['', 'web', '80:', '1:2:3', '80/icmp'])
    assert.throws(() => portSettings([text]), { exitCode: 2 }, text);
});
