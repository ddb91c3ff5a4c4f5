import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ProxySettings, proxiesFromEnvironment } from '../contract/proxies.ts';
import { Proxies } from './proxies.ts';

function make(hostAddress?: string) {
  const applied: ProxySettings[] = [];
  const proxies = new Proxies({
    initial: { containers: false },
    hostAddress: () => hostAddress,
    apply: (settings) => applied.push(settings),
  });
  return { proxies, applied };
}

test('what is set is applied, and shown without passwords', () => {
  const { proxies, applied } = make();
  proxies.set({
    https: 'http://me:secret@proxy.example:3128',
    noProxy: 'a.example',
    containers: false,
  });
  assert.deepEqual(applied, [
    { containers: false },
    { https: 'http://me:secret@proxy.example:3128', noProxy: 'a.example', containers: false },
  ]);
  assert.equal(proxies.shown().https, 'http://me:xxxxx@proxy.example:3128');
  assert.deepEqual(proxies.environment(), []);
});

test('containers get both cases of each variable, when it is asked for', () => {
  const { proxies } = make();
  proxies.set({ http: 'proxy.example:3128', noProxy: '.local', containers: true });
  assert.deepEqual(proxies.environment(), [
    'HTTP_PROXY=http://proxy.example:3128',
    'http_proxy=http://proxy.example:3128',
    'NO_PROXY=.local',
    'no_proxy=.local',
  ]);
});

test("a proxy on the host's loopback is reached where the guest reaches the host", () => {
  for (const name of ['127.0.0.1', 'localhost', '[::1]']) {
    const { proxies } = make('10.0.2.2');
    proxies.set({ http: `http://${name}:8888`, containers: false });
    assert.equal(proxies.shown().http, 'http://10.0.2.2:8888');
  }
  const { proxies } = make();
  proxies.set({ http: 'http://127.0.0.1:8888', containers: false });
  assert.equal(proxies.shown().http, 'http://127.0.0.1:8888');
});

for (const http of ['socks5://proxy.example', 'http://', 'a b', 'file:///etc/passwd'])
  test(`${http} is no proxy`, () => {
    assert.throws(() => make().proxies.set({ http, containers: false }), /such as http:\/\/proxy/);
  });

test('the environment: small letters win, ALL_PROXY is for both', () => {
  assert.deepEqual(
    proxiesFromEnvironment({ http_proxy: 'a', HTTP_PROXY: 'b', HTTPS_PROXY: 'c', NO_PROXY: 'd' }),
    { http: 'a', https: 'c', noProxy: 'd' },
  );
  assert.deepEqual(proxiesFromEnvironment({ ALL_PROXY: 'x' }), { http: 'x', https: 'x' });
  assert.deepEqual(proxiesFromEnvironment({}), {});
});

test("a proxy on this machine's own loopback is for pulls, and no container's", () => {
  const { proxies, applied } = make();
  proxies.set({ http: '127.0.0.1:8888', https: 'http://proxy.example:1', containers: true });
  assert.equal(applied.at(-1)?.http, 'http://127.0.0.1:8888');
  assert.deepEqual(proxies.environment(), [
    'HTTPS_PROXY=http://proxy.example:1',
    'https_proxy=http://proxy.example:1',
  ]);
});
