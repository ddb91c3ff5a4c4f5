/** Checks that the tests which docs/security.md names for each defence exist. */
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
 * The titles in a test file, or in the suite beside it that it runs. A title from a template ends before its first
 * `${`.
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

/** A name without a folder is of agent/runtime, which has most of the tests. */
function fileOf(name: string): string {
  if (/^(devtools|electron)\//.test(name)) return name;
  return name.includes('/') ? `agent/${name}` : `agent/runtime/${name}`;
}

/** The attack tests take their titles from the scenarios in files beside them. */
function scenariosIn(file: string): string[] {
  const directory = join(root, dirname(file));
  if (!file.startsWith('devtools/attack/')) return [];
  return ['incidents', 'copies', 'races'].flatMap((module) => {
    const text = readFileSync(join(directory, `${module}.ts`), 'utf8');
    return [...text.matchAll(/\bname:\s*(['"`])((?:(?!\1).)+)\1/g)].map(([, , name = '']) => name);
  });
}
