/** How registries are reached: through a proxy, around it, and by names that somebody else resolves. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { afterEach, test } from 'node:test';
import { exchange, readBody, setConnectionSettings } from './http.ts';

const servers: Server[] = [];

afterEach(() => {
  setConnectionSettings({ proxies: undefined, lookup: undefined });
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

test('plain HTTP goes through its proxy, and what is excepted does not', async () => {
  const asked: string[] = [];
  const proxy = await serve(asked);
  const direct: string[] = [];
  const registry = await serve(direct);
  const proxies = { http: `http://127.0.0.1:${proxy}`, noProxy: 'near.example' };
  setConnectionSettings({
    proxies,
    lookup: (_name, options, done) =>
      options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4),
  });
  await get(`http://far.example:${registry}/v2/`);
  assert.deepEqual(asked, [`http://far.example:${registry}/v2/`]);
  await get(`http://near.example:${registry}/v2/`);
  await get(`http://127.0.0.1:${registry}/v2/`);
  assert.deepEqual(direct, ['/v2/', '/v2/']);
  setConnectionSettings({ proxies: {} });
  await get(`http://far.example:${registry}/v2/`);
  assert.equal(direct.length, 3);
});

test('HTTPS asks its proxy for a tunnel', async () => {
  const proxy = createServer();
  servers.push(proxy);
  const wanted = new Promise<string | undefined>((resolve) =>
    proxy.on('connect', (request, socket) => {
      resolve(request.url);
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    }),
  );
  const port = await listening(proxy);
  setConnectionSettings({ proxies: { https: `http://127.0.0.1:${port}` } });
  await assert.rejects(get('https://registry.example/v2/'));
  assert.equal(await wanted, 'registry.example:443');
});

async function get(address: string): Promise<void> {
  const response = await exchange({ method: 'GET', url: new URL(address), insecure: false });
  await readBody(response, 1000);
}

async function serve(asked: string[]): Promise<number> {
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end('{}');
  });
  servers.push(server);
  return listening(server);
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}
