/** Secrets of each kind are planted; none may come through, and what helps must. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactDocument, redactText } from './redact.ts';

const personal = { home: '/home/jane', user: 'jane', words: ['db.corp.example'] };

for (const [kind, text, secret] of [
  [
    'private key',
    'x\n-----BEGIN OPENSSH PRIVATE KEY-----\nAAAB3Nz\n-----END OPENSSH PRIVATE KEY-----\ny',
    'AAAB3Nz',
  ],
  ['private key that is cut', '-----BEGIN RSA PRIVATE KEY-----\nMIIEow', 'MIIEow'],
  ['address with a password', 'pull https://jane:hunter2@registry.example/v2/', 'hunter2'],
  ['address with a user', 'git+ssh://tok3nvalue@example.org/x', 'tok3nvalue'],
  ['bearer', 'Authorization: Bearer abc.def.ghi1234', 'abc.def.ghi1234'],
  ['basic', 'sent Basic amFuZTpodW50ZXIy', 'amFuZTpodW50ZXIy'],
  ['registry login', '{"X-Registry-Auth":"c2VjcmV0","password":"hunter2"}', 'hunter2'],
  ['variable', 'env DB_PASSWORD=hunter2 started', 'hunter2'],
  ['query', 'GET /door?token=0123456789abcdef HTTP/1.1', '0123456789abcdef'],
  ['json web token', 'got eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl', 'eyJzdWIiOiIx'],
  ['a service’s token', 'using ghp_abcdefghijklmnop1234', 'ghp_abcdefghijklmnop1234'],
  ['home directory', 'cannot open /home/jane/.docker/config.json', 'jane'],
  ['another’s home', 'bind /Users/bob/project', 'bob'],
  ['user name', 'sshd: session opened for jane by (uid=0)', 'jane'],
  ['a host of the person', 'db.corp.example port 22 cannot be reached', 'db.corp.example'],
] as const)
  test(`text: ${kind}`, () => {
    const clean = redactText(text, personal);
    assert.ok(!clean.includes(secret), clean);
    // Once more changes nothing: a bundle may be cleaned twice.
    assert.ok(!redactText(clean, personal).includes(secret));
  });

test('a document keeps its shape and loses values, labels and secrets', () => {
  const clean = redactDocument(
    {
      Config: {
        Env: ['PATH=/usr/bin', 'TOKEN=hunter2', 'BARE'],
        Labels: { 'com.example.owner': 'jane', empty: '' },
        Image: 'registry.example/web:1',
        Cmd: ['serve', '--password=hunter2'],
      },
      RegistryConfig: { auth: { 'registry.example': { password: 'hunter2' } } },
      AuthToken: 'hunter2',
      Mounts: [{ Source: '/home/jane/data', RW: true }],
      NCPU: 4,
      HasSecret: false,
    },
    personal,
  ) as Record<string, unknown>;
  const text = JSON.stringify(clean);
  for (const secret of ['hunter2', 'jane']) assert.ok(!text.includes(secret), text);
  assert.deepEqual(clean.Config, {
    Env: ['PATH=[removed]', 'TOKEN=[removed]', '[removed]'],
    Labels: { 'com.example.owner': '[removed]', empty: '' },
    Image: 'registry.example/web:1',
    Cmd: ['serve', '--password=[removed]'],
  });
  assert.equal(clean.NCPU, 4);
  assert.equal(clean.HasSecret, false);
});

test('what helps stays', () => {
  const line =
    'corten: start: no space left on /var/lib/corten (ENOSPC), image alpine:3.20, key sha256:abcd';
  assert.equal(redactText(line, { home: '/root', user: 'root' }), line);
});
