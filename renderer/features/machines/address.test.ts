import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressLine, addressOf, formOf, problemsOf } from './address.ts';

const empty = { host: '', user: '', port: '', keyFile: '' };

test('a host is read as ssh reads it', () => {
  const read = (host: string) => addressOf({ ...empty, host });
  assert.deepEqual(read('box'), { host: 'box' });
  assert.deepEqual(read(' me@box '), { host: 'box', user: 'me' });
  assert.deepEqual(read('me@box:2222'), { host: 'box', user: 'me', port: 2222 });
  assert.deepEqual(read('ssh://box:22'), { host: 'box', port: 22 });
  assert.deepEqual(read('[fe80::1%eth0]:24'), { host: 'fe80::1%eth0', port: 24 });
  assert.deepEqual(read('fe80::1'), { host: 'fe80::1' });
});

test('a field of its own says more than the line', () => {
  assert.deepEqual(
    addressOf({ host: 'me@box:22', user: 'root', port: '23', keyFile: '~/.ssh/k' }),
    { host: 'box', user: 'root', port: 23, keyFile: '~/.ssh/k' },
  );
});

test('what is known of a machine is put into the form, and comes back as it was', () => {
  for (const address of [
    { host: 'box' },
    { host: 'fe80::1', user: 'me', port: 24, keyFile: '~/.ssh/k' },
  ]) {
    assert.deepEqual(addressOf(formOf(address)), address);
    assert.deepEqual(problemsOf(formOf(address)), {});
    const { keyFile: _, ...place } = address as typeof address & { keyFile?: string };
    assert.deepEqual(addressOf({ ...empty, host: addressLine(address) }), place);
  }
  assert.equal(addressLine({ host: 'fe80::1', user: 'me', port: 24 }), 'me@[fe80::1]:24');
});

test('what is no host or port is said at its field', () => {
  assert.deepEqual(problemsOf(empty), { host: 'add.noHost' });
  assert.deepEqual(problemsOf({ ...empty, host: '-oProxyCommand=x' }), { host: 'add.noHost' });
  assert.deepEqual(problemsOf({ ...empty, host: 'box', port: '70000' }), { port: 'add.badPort' });
  assert.deepEqual(problemsOf({ ...empty, host: 'box', port: '2x' }), { port: 'add.badPort' });
});
