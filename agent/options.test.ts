import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseOptions } from './options.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-options-'));
after(() => rmSync(directory, { recursive: true }));
const parse = (...args: string[]) =>
  parseOptions(['--root', join(directory, 'root'), '--run', join(directory, 'run'), ...args]);

test('--userns-remap: absent, alone, auto, and a range of ids', () => {
  assert.equal(parse()?.usernsRemap, undefined);
  assert.equal(parse('--userns-remap')?.usernsRemap, 'auto');
  assert.equal(parse('--userns-remap=auto')?.usernsRemap, 'auto');
  assert.deepEqual(parse('--userns-remap=100000:655360')?.usernsRemap, {
    first: 100_000,
    length: 655_360,
  });
});

for (const value of ['', 'default', '100000', '0:65536', '100000:65535', '4294950000:65536', '1:x'])
  test(`--userns-remap=${value} is refused with an example`, () => {
    assert.throws(() => parse(`--userns-remap=${value}`), {
      kind: 'invalid',
      message: /such as 100000:655360/,
    });
  });

test('--host-address: absent, an address, gateway, shared', () => {
  assert.equal(parse()?.hostAddress, undefined);
  for (const text of ['10.0.2.2', 'gateway', 'shared'])
    assert.equal(parse('--host-address', text)?.hostAddress, text);
  assert.equal(parse('--machine')?.hostAddress, 'gateway');
  assert.throws(() => parse('--host-address', 'host.example'), { kind: 'invalid' });
});

test('--ssh-vsock: a port of 32 bits, or an example', () => {
  assert.equal(parse()?.sshVsock, undefined);
  assert.equal(parse('--ssh-vsock', '1024')?.sshVsock, 1024);
  for (const value of ['0', 'x', '-1', '4294967295', '1e3'])
    assert.throws(() => parse(`--ssh-vsock=${value}`), { message: /a port such as 1024/ });
});

test('--cpu-slice: a short one, another, or the kernel’s own', () => {
  assert.equal(parse()?.cpuSliceMicros, 1000);
  assert.equal(parse('--cpu-slice', '3000')?.cpuSliceMicros, 3000);
  assert.equal(parse('--cpu-slice', 'kernel')?.cpuSliceMicros, undefined);
  for (const value of ['', '0', '99', '100001', '1e3', '0.5ms'])
    assert.throws(() => parse(`--cpu-slice=${value}`), {
      kind: 'invalid',
      message: /100 to 100000/,
    });
});

test('--leave-memory: absent, a size, none, or an example', () => {
  assert.equal(parse()?.leaveMemoryBytes, undefined);
  assert.equal(parse('--leave-memory', '1g')?.leaveMemoryBytes, 1024 ** 3);
  assert.equal(parse('--leave-memory', '0')?.leaveMemoryBytes, 0);
  assert.throws(() => parse('--leave-memory', 'some'), { kind: 'invalid', message: /such as 1g/ });
});

test('--default-disk: a share, none, a size, or an example', () => {
  assert.equal(parse()?.defaultDisk, 'share');
  assert.equal(parse('--default-disk', 'none')?.defaultDisk, 'none');
  assert.equal(parse('--default-disk', '10g')?.defaultDisk, 10 * 1024 ** 3);
  assert.throws(() => parse('--default-disk', '1k'), { kind: 'invalid', message: /such as 10g/ });
});
