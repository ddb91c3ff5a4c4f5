import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { parseTagged } from '../reference.ts';
import { endpointsOf } from './endpoints.ts';
import { discard } from './http.ts';
import { login } from './login.ts';
import { Repository } from './repository.ts';
import { RegistrySession } from './session.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const servers: Server[] = [];
let handler: Handler;
let origin: string;
const signal = new AbortController().signal;

async function listen(handle: Handler): Promise<string> {
  const server = createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeEach(async () => {
  origin = await listen((request, response) => handler(request, response));
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

function session(credentials = {}, mirror = false) {
  return new RegistrySession(
    { base: new URL(`http://${origin}/`), insecure: true, mirror },
    credentials,
  );
}

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

test('a bearer token is fetched for the scope, once, and shown', async () => {
  const seen: string[] = [];
  handler = (request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    seen.push(url.pathname);
    if (url.pathname === '/token') {
      assert.equal(request.headers.authorization, basic('ann', 'secret'));
      assert.equal(url.searchParams.get('scope'), 'repository:a:pull');
      assert.equal(url.searchParams.get('service'), 'reg');
      response.end(JSON.stringify({ token: 'T' }));
    } else if (request.headers.authorization === 'Bearer T') response.end('ok');
    else {
      const challenge = `Bearer realm="http://${origin}/token",service="reg"`;
      response.writeHead(401, { 'WWW-Authenticate': challenge }).end();
    }
  };
  const registry = session({ username: 'ann', password: 'secret' });
  for (let count = 0; count < 2; count++) {
    const answer = await registry.send({
      method: 'GET',
      path: 'a',
      scope: 'repository:a:pull',
      signal,
    });
    assert.equal(answer.status, 200);
    discard(answer);
  }
  assert.deepEqual(seen, ['/v2/a', '/token', '/v2/a', '/v2/a']);
});

test('an identity token is exchanged instead of the password', async () => {
  handler = (request, response) => {
    if (request.url === '/token') {
      let form = '';
      request.on('data', (chunk) => (form += chunk));
      request.on('end', () => {
        const fields = new URLSearchParams(form);
        assert.equal(fields.get('grant_type'), 'refresh_token');
        assert.equal(fields.get('refresh_token'), 'R');
        response.end(JSON.stringify({ access_token: 'A' }));
      });
    } else if (request.headers.authorization === 'Bearer A') response.end();
    else
      response
        .writeHead(401, { 'WWW-Authenticate': `Bearer realm="http://${origin}/token"` })
        .end();
  };
  const answer = await session({ identityToken: 'R' }).send({ method: 'GET', path: 'a', signal });
  discard(answer);
  assert.equal(answer.status, 200);
});

test('a mirror is shown no password', async () => {
  handler = (request, response) => {
    assert.equal(request.headers.authorization, undefined);
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
  };
  const answer = await session({ username: 'ann', password: 'secret' }, true).send({
    method: 'GET',
    path: 'a',
    signal,
  });
  discard(answer);
  assert.equal(answer.status, 401);
});

test('a redirect to another host is followed without our proof', async () => {
  let shown: string | undefined = 'nothing yet';
  const store = await listen((request, response) => {
    shown = request.headers.authorization;
    response.end('blob');
  });
  handler = (request, response) => {
    if (request.headers.authorization === undefined)
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
    else response.writeHead(307, { Location: `http://${store}/blob` }).end();
  };
  const answer = await session({ username: 'ann', password: 'secret' }).send({
    method: 'GET',
    path: 'a',
    signal,
  });
  discard(answer);
  assert.equal(answer.status, 200);
  assert.equal(shown, undefined);
});

test('what fails in passing is tried again', async () => {
  let count = 0;
  handler = (request, response) => {
    count += 1;
    if (count === 1) request.socket.destroy();
    else if (count === 2) response.writeHead(503).end();
    else response.end();
  };
  const answer = await session().send({ method: 'GET', path: 'a', signal });
  discard(answer);
  assert.equal(answer.status, 200);
  assert.equal(count, 3);
});

test('a wrong password is unauthorized, a right one is not', async () => {
  handler = (request, response) => {
    if (request.headers.authorization === basic('ann', 'right')) response.end('{}');
    else response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
  };
  const options = { registryMirrors: [], insecureRegistries: [] };
  const with_ = (password: string) =>
    login({ username: 'ann', password, serverAddress: origin }, options);
  await assert.rejects(with_('wrong'), {
    kind: 'unauthorized',
    message: /incorrect username or password/,
  });
  assert.deepEqual(await with_('right'), {});
});

test('mirrors come first and are passed over when they are down or lack it', async () => {
  const down = 'http://127.0.0.1:1';
  const lacking = await listen((_, response) => response.writeHead(404).end());
  const manifest = JSON.stringify({ schemaVersion: 2, manifests: [] });
  handler = (_, response) => response.end(manifest);
  const registryMirrors = [down, `http://${lacking}`, `http://${origin}`];
  const options = { registryMirrors, insecureRegistries: [] };
  const repository = await Repository.open(parseTagged('alpine'), options, undefined, signal);
  assert.equal((await repository.manifest('latest', signal)).bytes.toString(), manifest);
});

test('refusals and dead addresses are named as dockerd names them', async () => {
  const options = { registryMirrors: [], insecureRegistries: [] };
  const asked = async () => {
    const repository = await Repository.open(
      parseTagged(`${origin}/a`),
      options,
      undefined,
      signal,
    );
    return repository.manifest('latest', signal);
  };
  const answerWith = (status: number, code?: string) => {
    handler = (_, response) =>
      response
        .writeHead(status)
        .end(code === undefined ? '' : JSON.stringify({ errors: [{ code, message: 'why' }] }));
  };
  answerWith(404, 'MANIFEST_UNKNOWN');
  await assert.rejects(asked(), {
    kind: 'not-found',
    message: /^manifest for .*\/a:latest not found: manifest unknown: why$/,
  });
  answerWith(404, 'NAME_UNKNOWN');
  await assert.rejects(asked(), {
    kind: 'not-found',
    message:
      /^pull access denied for .*\/a, repository does not exist or may require 'docker login'/,
  });
  answerWith(403, 'DENIED');
  await assert.rejects(asked(), { kind: 'not-found', message: /^pull access denied/ });
  await assert.rejects(Repository.open(parseTagged('127.0.0.1:1/a'), options, undefined, signal), {
    kind: 'unavailable',
    message: /cannot reach the registry at http:\/\/127.0.0.1:1: connection refused/,
  });
});

test('plain HTTP is for loopback and registries named insecure alone', () => {
  const schemes = (domain: string, insecureRegistries: string[] = []) =>
    endpointsOf(domain, { registryMirrors: [], insecureRegistries }).map(
      ({ base }) => base.protocol,
    );
  assert.deepEqual(schemes('ghcr.io'), ['https:']);
  assert.deepEqual(schemes('docker.io'), ['https:']);
  assert.deepEqual(schemes('127.0.0.1.evil.org'), ['https:']);
  assert.deepEqual(schemes('localhost:5000'), ['https:', 'http:']);
  assert.deepEqual(schemes('127.9.9.9'), ['https:', 'http:']);
  assert.deepEqual(schemes('reg.lan:5000', ['reg.lan:5000']), ['https:', 'http:']);
});
