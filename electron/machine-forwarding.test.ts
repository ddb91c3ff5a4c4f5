import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forwardingFor } from './machine-forwarding.ts';

const paths = {
  socketDirectory: '/run/user/1000/corten',
  environment: { DOCKER_CONFIG: '/none' },
};
const contextOf = (entry: Parameters<typeof forwardingFor>[0], platform: NodeJS.Platform) => {
  const { name, host } = forwardingFor(entry, { ...paths, platform }).context.state();
  return [name, host];
};

test('each machine has a socket and a context of its own', () => {
  assert.deepEqual(contextOf({ id: 'local', name: 'This computer', kind: 'qemu' }, 'darwin'), [
    'corten',
    'unix:///run/user/1000/corten/local.sock',
  ]);
  assert.deepEqual(contextOf({ id: 'ab12', name: 'Büro / Server', kind: 'remote' }, 'linux'), [
    'corten-b-ro-server-ab12',
    'unix:///run/user/1000/corten/ab12.sock',
  ]);
});

test('on Windows it is a named pipe', () => {
  assert.deepEqual(contextOf({ id: 'local', name: 'This computer', kind: 'wsl2' }, 'win32'), [
    'corten',
    'npipe:////./pipe/corten-local',
  ]);
});
