import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bridge } from '../../electron/contract/bridge.ts';
import type { ForwardedPort } from '../../electron/contract/forward.ts';
import { provideBridge } from '../bridge/bridge.ts';
import {
  followPorts,
  forwardedPort,
  loadContext,
  removeDockerContext,
  setUpDockerContext,
  useForward,
} from './forward.ts';
import { takeToasts } from './toasts.ts';

const failed: ForwardedPort = {
  containerId: 'a',
  protocol: 'tcp',
  hostAddress: '0.0.0.0',
  hostPort: 80,
  containerPort: 8080,
  status: 'failed',
  cause: 'nginx (pid 1) has tcp port 80 of this computer',
  nextStep: 'stop it, or publish on another port',
};

test('ports are followed, and found by container, protocol and port', async () => {
  const stop = new AbortController();
  provide({
    stream: async function* () {
      yield [failed];
      stop.abort();
    },
  });
  await followPorts(stop.signal);
  const { ports } = useForward.getState();
  assert.equal(forwardedPort(ports, 'a', { protocol: 'tcp', hostPort: 80 }), failed);
  for (const other of [
    { id: 'b', protocol: 'tcp', hostPort: 80 },
    { id: 'a', protocol: 'udp', hostPort: 80 },
    { id: 'a', protocol: 'tcp', hostPort: undefined },
  ])
    assert.equal(forwardedPort(ports, other.id, other), undefined);
});

test('the context is set up and removed; what fails is told', async () => {
  const state = { name: 'corten', host: 'unix:///x', isSetUp: true, isCurrent: false };
  const asked: unknown[][] = [];
  provide({
    request: async (...words: unknown[]) => {
      asked.push(words);
      if (words[0] === 'context.remove') throw new Error('config.json is not readable');
      return state;
    },
  });
  await loadContext();
  assert.equal(useForward.getState().context, state);
  await setUpDockerContext(true);
  assert.deepEqual(asked.at(-1), ['context.setUp', { machine: '', use: true }]);
  await removeDockerContext();
  const [toast] = takeToasts();
  assert.equal(toast?.title.id, 'failed.contextRemove');
  assert.equal(toast?.detail, 'config.json is not readable');
});

function provide(part: object): void {
  provideBridge(part as Bridge);
}
