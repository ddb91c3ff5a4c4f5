import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { plainBuiltins, programs } from './agent-bundle.ts';

const agent = join(import.meta.dirname, '../../agent');

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

test("Node's own modules are taken as objects, which loads nothing that no one named", () => {
  const code = `import fs, { readFileSync as read } from "node:fs";
import * as path from "node:path";
import { Agent, METHODS as verbs } from "node:http";
import { a } from "./other.js";
console.log(typeof read, fs.readFileSync === read, path.basename("/a/b"), typeof Agent, verbs.includes("GET"));
console.log(process.moduleLoadList.some((name) => name.includes("undici")));
`;
  const plain = plainBuiltins(code);
  assert.match(plain, /^import \{ a \} from "\.\/other\.js";$/m);
  const output = execFileSync(process.execPath, [
    ...['--input-type=module', '--eval', plain.replace(/^import .*$/m, '')],
  ]);
  assert.equal(output.toString(), 'function true b function true\nfalse\n');
});
