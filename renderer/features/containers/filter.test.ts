import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toRow } from '../../stores/container-row.ts';
import { matchesFilter, toItems } from './filter.ts';

const row = (name: string, stack?: string) =>
  toRow({
    Id: name.repeat(4),
    Names: [`/${name}`],
    Image: 'nginx:1',
    State: 'running',
    Labels: stack ? { 'com.docker.compose.project': stack } : {},
    Ports: [{ PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }],
  });

test('every word of the filter must be found', () => {
  assert.ok(matchesFilter(row('web'), ''));
  assert.ok(matchesFilter(row('web'), 'NGINX run'));
  assert.ok(matchesFilter(row('web'), '8080'));
  assert.ok(matchesFilter(row('web', 'shop'), 'shop'));
  assert.ok(!matchesFilter(row('web'), 'nginx exited'));
});

test('stacks stand under their heads, and closed ones hide their rows', () => {
  const rows = [row('b', 'shop'), row('a'), row('c', 'blog'), row('d', 'shop')];
  const shape = (closed: string[]) =>
    toItems(rows, new Set(closed)).map((item) =>
      item.kind === 'stack' ? `[${item.stack}]` : item.row.name,
    );
  assert.deepEqual(shape([]), ['a', '[blog]', 'c', '[shop]', 'b', 'd']);
  assert.deepEqual(shape(['shop']), ['a', '[blog]', 'c', '[shop]']);
});
