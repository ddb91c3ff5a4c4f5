import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { programs } from './agent-bundle.ts';

const agent = join(import.meta.dirname, '../agent');

test('every worker that the agent starts is a program of the bundle, from a file that there is', () => {
  for (const path of Object.values(programs))
    assert.ok(readFileSync(join(agent, path.replace(/js$/, 'ts'))).length > 0);
  const sources = globSync('**/*.ts', { cwd: agent }).filter((path) => !/test|suite/.test(path));
  const started = sources.flatMap((path) => {
    const text = readFileSync(join(agent, path), 'utf8');
    const places = [...text.matchAll(/\.\/(\$?[a-z{}-]+)\$\{extname\(import\.meta/g)];
    return places.flatMap(([, name = '']) =>
      // Where the name is a variable, its values stand where threads are started.
      name.startsWith('$')
        ? [...text.matchAll(/startThread\(\s*'([a-z-]+)'/g)].map((each) => each[1] ?? '')
        : name,
    );
  });
  assert.ok(started.length >= 5, started.join());
  for (const name of started) assert.ok(name in programs, name);
});
