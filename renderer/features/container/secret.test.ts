import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSecret } from './secret.ts';

test('names of secrets are known, everyday names are not', () => {
  for (const name of ['POSTGRES_PASSWORD', 'API_KEY', 'secret', 'GITHUB_TOKEN', 'DB_PASS'])
    assert.ok(isSecret(name), name);
  for (const name of ['PATH', 'KEYBOARD', 'COMPASS', 'AUTHOR', 'LANG'])
    assert.ok(!isSecret(name), name);
});
