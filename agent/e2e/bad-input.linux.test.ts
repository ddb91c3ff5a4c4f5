/** Bad input gets dockerd's status and a sentence, and leaves nothing half-made behind. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type AgentProcess,
  discardAgent,
  dockerCli,
  eventually,
  findTraces,
  makeAgentDirectory,
  startAgent,
  type Traces,
} from './agent-process.ts';

let agent: AgentProcess;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
  // The first start makes the bridge and the cgroup parents, which stay: they are not traces. What the
  // container had goes a moment after it.
  const docker = dockerCli(agent.socket);
  const clean = findTraces(agent).links;
  await docker('run', '--rm', '-p', '127.0.0.1:0:80', image, 'true');
  await eventually(() => {
    const { links, cgroups, directories } = findTraces(agent);
    assert.equal(links.length, clean.length + 1);
    assert.deepEqual([...cgroups, ...directories], []);
  });
});
after(() => discardAgent(agent));

const image = 'corten/starter:latest';
interface Answer {
  status: number;
  message: string;
  body: Record<string, unknown>;
}

function call(method: string, path: string, body?: unknown): Promise<Answer> {
  return new Promise((done, reject) => {
    const outgoing = request(
      { socketPath: agent.socket, method, path, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = '';
        response.on('data', (part) => {
          text += part;
        });
        response.on('end', () => {
          const parsed = text.startsWith('{') ? JSON.parse(text) : {};
          done({ status: response.statusCode ?? 0, message: parsed.message ?? text, body: parsed });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(
      body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    );
  });
}

/** The kernel lets go of a network namespace, and the veth pair with it, a moment after its last user. */
async function assertSameTraces(before: Traces): Promise<void> {
  await eventually(() => assert.deepEqual(findTraces(agent), before));
}

/** What is wrong, how it is asked for, and what dockerd answers. */
const creations: [string, unknown, number, RegExp][] = [
  ['an unknown image', { Image: 'nowhere:none' }, 404, /No such image: nowhere:none/],
  ['no image', { Image: '' }, 400, /./],
  ['a malformed image name', { Image: 'UPPER//case' }, 400, /invalid reference format/],
  ['broken JSON', '{"Image":', 400, /./],
  [
    'memory of 1 byte',
    { Image: image, HostConfig: { Memory: 1 } },
    400,
    /Minimum memory limit allowed is 6MB/,
  ],
  ['negative CPUs', { Image: image, HostConfig: { NanoCpus: -1 } }, 400, /CPU/i],
  ['more CPUs than there are', { Image: image, HostConfig: { NanoCpus: 1e15 } }, 400, /CPUs/],
  [
    'a CPU list that is none',
    { Image: image, HostConfig: { CpusetCpus: 'x' } },
    400,
    /cpuset|CpusetCpus/i,
  ],
  [
    'a mount source that does not exist',
    {
      Image: image,
      HostConfig: { Mounts: [{ Type: 'bind', Source: '/no/such/path', Target: '/x' }] },
    },
    400,
    /bind source path does not exist: \/no\/such\/path/,
  ],
  ['a relative mount target', { Image: image, HostConfig: { Binds: ['/tmp:relative'] } }, 400, /./],
  [
    'an unknown capability',
    { Image: image, HostConfig: { CapAdd: ['NOT_A_CAPABILITY'] } },
    400,
    /NOT_A_CAPABILITY/,
  ],
  ['an unknown network', { Image: image, HostConfig: { NetworkMode: 'nowhere' } }, 404, /nowhere/],
  [
    'an unknown restart policy',
    { Image: image, HostConfig: { RestartPolicy: { Name: 'maybe' } } },
    400,
    /maybe/,
  ],
  [
    'a port that is none',
    { Image: image, HostConfig: { PortBindings: { '99999/tcp': [{}] } } },
    400,
    /99999/,
  ],
];

for (const [what, body, status, message] of creations)
  test(`create with ${what}`, async () => {
    const before = findTraces(agent);
    const answer = await call('POST', '/v1.45/containers/create', body);
    // dockerd finds some of these only at start; a container that was made by then is taken away again.
    const id = answer.body.Id;
    const result =
      answer.status === 201 ? await call('POST', `/v1.45/containers/${id}/start`) : answer;
    if (id !== undefined) await call('DELETE', `/v1.45/containers/${id}?force=1`);
    assert.equal(result.status, status, result.message);
    assert.match(result.message, message);
    await assertSameTraces(before);
  });

test('a name that is taken, and one that is not allowed', async () => {
  const before = findTraces(agent);
  const { body } = await call('POST', '/containers/create?name=taken', { Image: image });
  const again = await call('POST', '/containers/create?name=taken', { Image: image });
  assert.equal(again.status, 409);
  assert.match(again.message, /name "\/taken" is already in use by container/);
  assert.equal((await call('POST', '/containers/create?name=-bad-', { Image: image })).status, 400);
  await call('DELETE', `/containers/${body.Id}`);
  await assertSameTraces(before);
});

test('a command that does not exist, or cannot be executed', async () => {
  for (const [command, text] of [
    ['no-such-command', /executable file not found/],
    ['/etc/passwd', /permission denied/],
    ['/etc', /permission denied|is a directory/],
  ] as const) {
    const before = findTraces(agent);
    const { body } = await call('POST', '/containers/create', { Image: image, Cmd: [command] });
    const started = await call('POST', `/containers/${body.Id}/start`);
    assert.equal(started.status, 400, started.message);
    assert.match(started.message, text);
    const inspected = await call('GET', `/containers/${body.Id}/json`);
    assert.equal((inspected.body.State as { Status: string }).Status, 'created');
    await call('DELETE', `/containers/${body.Id}`);
    await assertSameTraces(before);
  }
});

test('a working directory or user that does not exist', async () => {
  const before = findTraces(agent);
  const { body } = await call('POST', '/containers/create', {
    Image: image,
    Cmd: ['true'],
    User: 'nobody-knows',
  });
  const started = await call('POST', `/containers/${body.Id}/start`);
  assert.match(started.message, /unable to find user nobody-knows/);
  await call('DELETE', `/containers/${body.Id}`);
  await assertSameTraces(before);
});

test('a port that is in use', async () => {
  const taken = createServer();
  await new Promise<void>((ready) => taken.listen(0, '0.0.0.0', ready));
  const address = taken.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const before = findTraces(agent);
  const { body } = await call('POST', '/containers/create', {
    Image: image,
    Cmd: ['true'],
    ExposedPorts: { '80/tcp': {} },
    HostConfig: { PortBindings: { '80/tcp': [{ HostPort: String(port) }] } },
  });
  const started = await call('POST', `/containers/${body.Id}/start`);
  assert.equal(started.status, 500);
  assert.match(started.message, new RegExp(`${port}.*(already|in use|allocated)`));
  await call('DELETE', `/containers/${body.Id}`);
  await new Promise((closed) => taken.close(closed));
  await assertSameTraces(before);
});

test('containers, images, execs, volumes and networks that are not there', async () => {
  for (const [method, path] of [
    ['GET', '/containers/missing/json'],
    ['POST', '/containers/missing/start'],
    ['DELETE', '/containers/missing'],
    ['GET', '/images/missing/json'],
    ['GET', '/exec/missing/json'],
    ['GET', '/volumes/missing'],
    ['GET', '/networks/missing'],
    ['GET', '/no/such/route'],
  ] as const) {
    const answer = await call(method, path);
    assert.equal(answer.status, 404, `${method} ${path}`);
    assert.ok(answer.message.length > 0);
  }
});

test('a hundred runs leave what one leaves: nothing', async () => {
  const docker = dockerCli(agent.socket);
  const before = findTraces(agent);
  for (let round = 0; round < 20; round++)
    await Promise.all(
      Array.from({ length: 5 }, (_, index) =>
        docker(
          'run',
          '--rm',
          '-v',
          `/data${index}`,
          '-p',
          `127.0.0.1:0:80`,
          image,
          'sh',
          '-c',
          `exit ${index}`,
        ),
      ),
    );
  await assertSameTraces(before);
});

test('an exec that cannot run leaves no directory of it', async () => {
  const docker = dockerCli(agent.socket);
  const id = (await docker('run', '-d', image, 'sleep', '1000')).stdout.trim();
  for (const words of [['no-such-command'], ['/etc/passwd']])
    assert.notEqual((await docker('exec', id, ...words)).code, 0);
  assert.deepEqual(readdirSync(join(agent.directory, 'run/containers', id, 'exec')), []);
  await docker('rm', '-f', id);
});
