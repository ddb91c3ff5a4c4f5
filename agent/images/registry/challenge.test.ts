import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from './challenge.ts';

test('challenges are read quoted, plain and several in a header', () => {
  assert.deepEqual(
    parseChallenges(
      'Bearer realm="https://auth.x/token",service="x, y",scope="repository:a:pull,push"',
    ),
    [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.x/token',
          service: 'x, y',
          scope: 'repository:a:pull,push',
        },
      },
    ],
  );
  assert.deepEqual(parseChallenges('Basic realm="a \\"b\\"", Bearer realm=http://t/,service=s'), [
    { scheme: 'basic', parameters: { realm: 'a "b"' } },
    { scheme: 'bearer', parameters: { realm: 'http://t/', service: 's' } },
  ]);
  assert.deepEqual(parseChallenges(''), []);
  assert.deepEqual(parseChallenges('=;="'), []);
});
