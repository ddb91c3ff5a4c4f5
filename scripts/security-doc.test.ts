/** docs/security.md names a test for each defence: each of them is there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const rows = readFileSync(join(root, 'docs/security.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| .* \|$/.test(line))
  .map((line) => line.slice(2, -2).split(' | '));

/**
 * Titles of a test file, or of the suite beside it that it runs; the parts that a template fills in
 * are cut off with all after them.
 */
function titlesIn(file: string): string[] {
  const suite = join(root, `${file.replace(/\.linux$/, '')}.suite.ts`);
  const own = join(root, `${file}.test.ts`);
  const text = readFileSync(existsSync(suite) ? suite : own, 'utf8');
  return [...text.matchAll(/\btest\(\s*(['"`])((?:(?!\1).)+)\1/g)].map(([, , title = '']) =>
    plain(title).replace(/\$\{.*/, ''),
  );
}

const plain = (text: string) => text.replaceAll('’', "'").replaceAll('\\', '');

for (const [attack = '', , tests = ''] of rows) {
  const named = [...tests.matchAll(/`([^`]+)`|"([^"]+)"/g)];
  if (named.length === 0) continue;
  test(`security.md: ${attack}`, () => {
    let titles: string[] = [];
    for (const [, file, phrase] of named) {
      if (file !== undefined) titles = [...titlesIn(fileOf(file)), ...scenariosIn(fileOf(file))];
      else if (phrase !== undefined && !phrase.includes('…'))
        assert.ok(
          titles.some(
            (title) => title.includes(phrase) || (title !== '' && phrase.startsWith(title)),
          ),
          phrase,
        );
    }
  });
}

/** The runtime's tests are the most, so a row may leave its folder out the second time. */
function fileOf(name: string): string {
  if (/^(devtools|electron)\//.test(name)) return name;
  return name.includes('/') ? `agent/${name}` : `agent/runtime/${name}`;
}

/** The attack suite's tests have the names of its scenarios, which lie beside them. */
function scenariosIn(file: string): string[] {
  const directory = join(root, dirname(file));
  if (!file.startsWith('devtools/attack/')) return [];
  return ['incidents', 'copies', 'races'].flatMap((module) => {
    const text = readFileSync(join(directory, `${module}.ts`), 'utf8');
    return [...text.matchAll(/\bname:\s*(['"`])((?:(?!\1).)+)\1/g)].map(([, , name = '']) => name);
  });
}
