/** Checks of the docs: links have a target, commands and files exist, and each dependency has a reason. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = ['README.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: root })];

test('links between pages lead to a page and a heading that are there', () => {
  const dead: string[] = [];
  for (const page of pages)
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?|mailto):/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : normalize(join(dirname(page), path));
      const isThere = existsSync(join(root, file));
      if (!isThere || (anchor !== undefined && !anchorsOf(file).includes(anchor)))
        dead.push(`${page}: ${target}`);
    }
  assert.deepEqual(dead, []);
});

/** The anchors that GitHub makes of headings. */
function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('commands and files of the repository that pages name are there', () => {
  const folders = 'agent|devtools|electron|renderer|scripts|docs|packaging';
  const missing: string[] = [];
  // scripts/test accepts the beginning of a file's name, so pages may name a test by that.
  for (const page of pages)
    for (const [, path = ''] of read(page).matchAll(
      new RegExp(`[\`(]((?:${folders})/[\\w./-]*\\w)(?=[ \`)])`, 'g'),
    ))
      if (!existsSync(join(root, path)) && globSync(`${path}*`, { cwd: root }).length === 0)
        missing.push(`${page}: ${path}`);
  assert.deepEqual(missing, []);
});

test('each dependency has a line that says why', () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
    read('package.json'),
  ) as Record<string, Record<string, string>>;
  const told = [...read('docs/dependencies.md').matchAll(/`([^`]+)`/g)].map(
    ([, name = '']) => name,
  );
  const isTold = (name: string) =>
    told.some((one) => one === name || (one.endsWith('/*') && name.startsWith(one.slice(0, -1))));
  const names = [dependencies, devDependencies, optionalDependencies].flatMap((list) =>
    Object.keys(list ?? {}),
  );
  assert.deepEqual(
    names.filter((name) => !isTold(name)),
    [],
  );
});
