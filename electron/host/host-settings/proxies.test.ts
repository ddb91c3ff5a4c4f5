import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../agent/e2e/until.ts';
import type { EngineRequest } from '../../contract/bridge.ts';
import { pauseListeners } from '../machine/testdata/pause-listeners.ts';
import { parseRegistry, parseScutil, systemProxies, watchProxies } from './proxies.ts';

test('macOS: scutil --proxy', () => {
  assert.deepEqual(
    parseScutil(`<dictionary> {
  ExceptionsList : <array> {
    0 : *.local
    1 : 169.254/16
    2 : intranet.example
  }
  FTPPassive : 1
  HTTPEnable : 1
  HTTPPort : 8080
  HTTPProxy : proxy.example
  HTTPSEnable : 1
  HTTPSPort : 8443
  HTTPSProxy : secure.example
  ProxyAutoConfigEnable : 0
}
`),
    {
      http: 'http://proxy.example:8080',
      https: 'http://secure.example:8443',
      noProxy: '.local,169.254/16,intranet.example',
    },
  );
  assert.deepEqual(
    parseScutil(
      '<dictionary> {\n  HTTPEnable : 0\n  HTTPPort : 8080\n  HTTPProxy : old.example\n}\n',
    ),
    {},
  );
});

const registry = (lines: string) =>
  `\r\nHKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\r\n${lines}\r\n`;

test('Windows: one proxy for all, with exceptions', () => {
  assert.deepEqual(
    parseRegistry(
      registry(
        '    ProxyEnable    REG_DWORD    0x1\r\n    ProxyServer    REG_SZ    proxy.example:8080\r\n' +
          '    ProxyOverride    REG_SZ    *.corp.example;10.*;<local>',
      ),
    ),
    {
      http: 'http://proxy.example:8080',
      https: 'http://proxy.example:8080',
      noProxy: '.corp.example,10.*',
    },
  );
});

test('Windows: one for each kind, and switched off', () => {
  const server = '    ProxyServer    REG_SZ    http=a.example:80;https=b.example:443;ftp=c.example';
  assert.deepEqual(parseRegistry(registry(`    ProxyEnable    REG_DWORD    0x1\r\n${server}`)), {
    http: 'http://a.example:80',
    https: 'http://b.example:443',
  });
  assert.deepEqual(parseRegistry(registry(`    ProxyEnable    REG_DWORD    0x0\r\n${server}`)), {});
  assert.deepEqual(parseRegistry(registry('')), {});
});

test('a script that chooses proxies is seen, beside fixed ones or alone', () => {
  const script = 'http://wpad.example/proxy.pac';
  const pac = `  ProxyAutoConfigEnable : 1\n  ProxyAutoConfigURLString : ${script}\n`;
  assert.deepEqual(parseScutil(`<dictionary> {\n${pac}}\n`), { script });
  assert.deepEqual(
    parseScutil(
      `<dictionary> {\n  HTTPEnable : 1\n  HTTPPort : 80\n  HTTPProxy : a.example\n${pac}}\n`,
    ),
    { http: 'http://a.example:80', script },
  );
  assert.deepEqual(parseScutil(`<dictionary> {\n${pac.replace(': 1', ': 0')}}\n`), {});
  const url = `    AutoConfigURL    REG_SZ    ${script}`;
  assert.deepEqual(parseRegistry(registry(url)), { script });
  const fixed =
    '    ProxyEnable    REG_DWORD    0x1\r\n    ProxyServer    REG_SZ    a.example:80\r\n';
  assert.deepEqual(parseRegistry(registry(fixed + url)), {
    http: 'http://a.example:80',
    https: 'http://a.example:80',
    script,
  });
});

test('of a script people are told once, with what to do, and the engine not at all', async () => {
  const told: unknown[] = [];
  const reported: string[] = [];
  const watch = watchProxies({
    engine: {
      request: async ({ body }: EngineRequest) => {
        told.push(JSON.parse(String(body)));
        return { status: 200, headers: {}, body: new Uint8Array() };
      },
    },
    link: connectedAtWill().link,
    containers: () => false,
    read: async () => ({ script: 'http://wpad.example/proxy.pac' }),
    ...pauseListeners(),
    report: (_what, error) => reported.push((error as Error).message),
  });
  await watch.check();
  await watch.check();
  watch.close();
  assert.deepEqual(told.at(-1), { containers: false });
  assert.equal(reported.length, 1);
  assert.match(reported[0]!, /proxy\.pac\), which the engine cannot follow\. Set HTTP_PROXY/);
});

test('the environment comes first', async () => {
  assert.deepEqual(await systemProxies({ https_proxy: 'http://env.example' }, 'darwin'), {
    https: 'http://env.example',
  });
  assert.deepEqual(await systemProxies({}, 'linux'), {});
});

test('the engine is told at once, of each change, and not again without one', async () => {
  const told: unknown[] = [];
  let looks = 0;
  let http = 'http://a.example:1';
  let status = 500;
  const watch = watchProxies({
    engine: {
      request: async ({ method, path, body }: EngineRequest) => {
        assert.equal(`${method} ${path}`, 'PUT /corten/v1/machine/proxies');
        told.push(JSON.parse(String(body)));
        const answer = { status, headers: {}, body: new Uint8Array() };
        status = 200;
        return answer;
      },
    },
    link: connectedAtWill().link,
    containers: () => true,
    read: async () => {
      looks += 1;
      return { http };
    },
    ...pauseListeners(),
    report: () => {},
    everyMs: 1,
  });
  await until(() => looks > 5);
  // The first request was refused, the second one accepted.
  assert.deepEqual(told, Array(2).fill({ http: 'http://a.example:1', containers: true }));
  http = 'http://b.example:2';
  await until(() => told.length === 3);
  assert.deepEqual(told[2], { http: 'http://b.example:2', containers: true });
  watch.close();
});

test('an engine that was started anew is told again: it has forgotten', async () => {
  const told: unknown[] = [];
  const { link, connect } = connectedAtWill();
  const watch = watchProxies({
    engine: {
      request: async ({ body }: EngineRequest) => {
        told.push(JSON.parse(String(body)).http);
        return { status: 200, headers: {}, body: new Uint8Array() };
      },
    },
    link,
    containers: () => false,
    read: async () => ({ http: 'http://a.example:1' }),
    ...pauseListeners(),
    report: (what, error) => assert.fail(`${what}: ${error}`),
    everyMs: 1,
  });
  await until(() => told.length === 1);
  connect(false);
  connect(true);
  await until(() => told.length === 2);
  await sleep(20);
  assert.equal(told.length, 2);
  watch.close();
});

test('a paused machine gets a change when it resumes, and no failure is reported', async () => {
  const told: unknown[] = [];
  const { onPauseChange, setPaused } = pauseListeners();
  let isPaused = false;
  let found = Promise.resolve({ http: 'http://a.example:1' });
  const watch = watchProxies({
    engine: {
      request: async ({ body }: EngineRequest) => {
        if (isPaused)
          throw new Error('The machine is paused, and is not resumed for a background request.');
        told.push(JSON.parse(String(body)).http);
        return { status: 200, headers: {}, body: new Uint8Array() };
      },
    },
    link: connectedAtWill().link,
    containers: () => false,
    read: () => found,
    onPauseChange,
    report: (what, error) => assert.fail(`${what}: ${error}`),
    everyMs: 1,
  });
  const turn = (paused: boolean) => {
    isPaused = paused;
    setPaused(paused);
  };
  await until(() => told.length === 1);
  // It was paused while the system's settings were read.
  const slow = Promise.withResolvers<{ http: string }>();
  found = slow.promise;
  const looking = watch.check();
  turn(true);
  slow.resolve({ http: 'http://b.example:2' });
  await looking;
  await watch.check();
  await sleep(20);
  assert.deepEqual(told, ['http://a.example:1']);
  turn(false);
  await until(() => told.length > 1);
  assert.deepEqual(told.slice(0, 2), ['http://a.example:1', 'http://b.example:2']);
  turn(true);
  watch.close();
});

function connectedAtWill() {
  const listeners = new Set<(isConnected: boolean) => void>();
  return {
    link: {
      onConnection(listener: (isConnected: boolean) => void) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    connect(isConnected: boolean) {
      for (const listener of listeners) listener(isConnected);
    },
  };
}
