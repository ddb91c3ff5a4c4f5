import assert from 'node:assert/strict';
import { test } from 'node:test';
import { familiar, familiarString, fullTag, parseReference, parseTagged } from './reference.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

test('names get the domain and library that docker gives them, and lose them again', () => {
  const table: [string, string, string][] = [
    ['alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
    ['alpine:3.20', 'docker.io/library/alpine:3.20', 'alpine:3.20'],
    ['corten/starter', 'docker.io/corten/starter:latest', 'corten/starter:latest'],
    ['docker.io/alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
    ['index.docker.io/a/b:c', 'docker.io/a/b:c', 'a/b:c'],
    ['localhost/x', 'localhost/x:latest', 'localhost/x:latest'],
    ['localhost:5000/x:1', 'localhost:5000/x:1', 'localhost:5000/x:1'],
    ['[::1]:5000/x', '[::1]:5000/x:latest', '[::1]:5000/x:latest'],
    ['ghcr.io/a/b__c/d-e.f:T_1', 'ghcr.io/a/b__c/d-e.f:T_1', 'ghcr.io/a/b__c/d-e.f:T_1'],
    ['Upper/x', 'Upper/x:latest', 'Upper/x:latest'],
  ];
  for (const [text, full, short] of table) {
    assert.equal(fullTag(parseTagged(text)), full, text);
    assert.equal(familiar(full), short, text);
  }
});

test('a digest stands instead of a tag, or beside one', () => {
  assert.deepEqual(parseTagged(`alpine@${digest}`), {
    domain: 'docker.io',
    path: 'library/alpine',
    digest,
  });
  assert.equal(familiarString(parseReference(`alpine:1@${digest}`)), `alpine:1@${digest}`);
});

test('what is no reference is refused in dockerd’s words', () => {
  const bad = [
    '',
    ':tag',
    'a:',
    'a b',
    '/a',
    'a//b',
    'a/',
    '-a',
    'a__._b',
    'a@sha256:12',
    `a@md5:${'ab'.repeat(32)}`,
    `a:${'t'.repeat(129)}`,
    'a:.b',
    'localhost:port/x',
    'exa_mple.com:5000/x',
    '../../etc/passwd',
    'a\n',
    'http://localhost:5000/x',
  ];
  for (const text of bad)
    assert.throws(
      () => parseReference(text),
      { kind: 'invalid', message: /invalid reference format/ },
      text,
    );
  assert.throws(() => parseReference('Alpine'), { message: /must be lowercase/ });
  assert.throws(() => parseReference('ab'.repeat(32)), { message: /64-byte hexadecimal/ });
  assert.throws(() => parseReference(`a/${'b'.repeat(260)}`), { message: /longer than 255/ });
});
