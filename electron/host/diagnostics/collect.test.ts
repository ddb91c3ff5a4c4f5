import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import type { EngineClient } from '../engine-client.ts';
import { collectDiagnostics, type DiagnosticsSubject } from './collect.ts';

const documents: Record<string, unknown> = {
  '/version': { Version: '0.1.0' },
  '/info': { Name: 'janes-server', NCPU: 2, DockerRootDir: '/home/jane/corten' },
  '/containers/json?all=1': [{ Names: ['/web'], Labels: { owner: 'planted-label' }, Image: 'a' }],
};

const engine = {
  request: async ({ path }: { path: string }) =>
    path in documents
      ? { status: 200, headers: {}, body: Buffer.from(JSON.stringify(documents[path])) }
      : { status: 500, headers: {}, body: Buffer.from('{}') },
} as unknown as EngineClient;

const subject: DiagnosticsSubject = {
  entry: {
    id: 'abc',
    name: 'janes-server',
    kind: 'remote',
    remote: { host: 'db.corp.example', user: 'operator7', keyFile: '/home/jane/.ssh/planted' },
  },
  state: {
    status: 'failed',
    kind: 'remote',
    stages: [{ id: 'reach', status: 'failed', elapsedMs: 12 }],
    failure: {
      stage: 'reach',
      cause: 'db.corp.example does not let "operator7" in.',
      nextStep: 'ssh-copy-id operator7@db.corp.example',
    },
  },
  facts: { shell: 'browser', platform: 'linux', version: '0.1.0' },
  engine,
  settings: { cpus: 2 },
  logs: async () => ({
    'agent.log': `${'x'.repeat(2 * 1024 * 1024)}\npull with password=planted-word\n`,
  }),
};

async function opened(body: Uint8Array): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const reader = extract();
  reader.end(gunzipSync(body));
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    found[entry.header.name.replace('corten-diagnostics/', '')] = Buffer.concat(chunks).toString();
  }
  return found;
}

const person = { home: '/home/jane', user: 'jane' };

test('what is saved is what was listed, bounded, and names nobody', async () => {
  const { files, body } = await collectDiagnostics(subject, person);
  const inside = await opened(body);
  assert.deepEqual(
    files.map(({ name, sizeBytes }) => [name, sizeBytes]),
    Object.entries(inside).map(([name, text]) => [name, Buffer.byteLength(text)]),
  );
  const all = Object.values(inside).join('\n');
  for (const secret of ['planted', 'jane', 'operator7', 'db.corp.example'])
    assert.ok(!all.includes(secret), `${secret} came through`);
  assert.equal(JSON.parse(inside['engine-version.json']!).Version, '0.1.0');
  assert.match(inside['machine.json']!, /"elapsedMs": 12/);
  assert.match(inside['images.txt']!, /answered \/images\/json with 500/);
  const log = files.find(({ name }) => name === 'agent.log');
  assert.deepEqual([log?.sizeBytes, log?.note], [1024 * 1024, 'Only the last 1024 KiB.']);
  assert.match(inside['agent.log']!, /password=\[removed\]\n$/);
});

test('a machine that is down still has its state and logs; logs that cannot be read are told', async () => {
  const { files } = await collectDiagnostics(
    {
      ...subject,
      engine: undefined,
      settings: undefined,
      logs: async () => {
        throw new Error('no such file');
      },
    },
    person,
  );
  assert.deepEqual(
    files.map(({ name }) => name),
    ['about.json', 'machine.json', 'logs.txt'],
  );
});
