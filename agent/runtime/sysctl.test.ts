import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OciSpec } from '../contract/oci-runtime.ts';
import { checkSysctls, sysctlPath } from './sysctl.ts';
import { testProcess, testSpec } from './testdata/test-container.ts';

const spec = (sysctl: Record<string, string>): OciSpec =>
  testSpec(testProcess(['true']), { sysctl });

test('both spellings of a name give one path', () => {
  assert.equal(sysctlPath('net.ipv4.ip_forward'), 'net/ipv4/ip_forward');
  assert.equal(sysctlPath('net/ipv4/ip_forward'), 'net/ipv4/ip_forward');
  assert.equal(
    sysctlPath('net.ipv4.conf.eth0/100.forwarding'),
    'net/ipv4/conf/eth0.100/forwarding',
  );
  assert.equal(
    sysctlPath('net/ipv4/conf/eth0.100/forwarding'),
    'net/ipv4/conf/eth0.100/forwarding',
  );
});

test('a name that leaves its directory is refused', () => {
  for (const name of ['net/../kernel/panic', '/kernel/panic', 'net..x', 'net.', ''])
    assert.throws(() => sysctlPath(name), { kind: 'invalid' }, name);
});

test('parameters of private namespaces pass', () => {
  checkSysctls(spec({ 'net.core.somaxconn': '1', 'kernel.shmmax': '1', 'fs.mqueue.msg_max': '1' }));
});

test('parameters of the whole machine are refused', () => {
  for (const name of ['kernel.panic', 'vm.swappiness', 'fs.file-max', 'kernel.hostname', 'netx.y'])
    assert.throws(() => checkSysctls(spec({ [name]: '1' })), { kind: 'invalid' }, name);
});

test('a parameter of a namespace that is joined is refused', () => {
  const joined = spec({ 'net.core.somaxconn': '1' });
  joined.linux.namespaces = [{ type: 'network', path: '/proc/1/ns/net' }];
  assert.throws(() => checkSysctls(joined), { kind: 'invalid' });
});
