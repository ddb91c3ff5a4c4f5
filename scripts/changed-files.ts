/** Which tests a change concerns, for `scripts/test --changed`. */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { importedFiles } from './imports.ts';

const root = resolve(import.meta.dirname, '..');

/** Files that every test depends on, whatever it imports. */
const concernEveryUnitTest = /^(package(-lock)?\.json|tsconfig\.base\.json|scripts\/setup)$/;

/**
 * Relative to the root: what differs from where this branch left the main branch, with what is not committed and what git
 * does not know yet. Files that were removed are among them.
 */
export function changedFiles(): string[] {
  const git = (...words: string[]) =>
    execFileSync('git', words, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n')
      .filter(Boolean);
  const base = ['origin/main', 'main'].flatMap((main) => {
    try {
      return git('merge-base', 'HEAD', main);
    } catch {
      // A clone may lack the one or the other.
      return [];
    }
  })[0];
  return [
    ...git('diff', '--name-only', '--no-renames', base ?? 'HEAD'),
    ...git('ls-files', '--others', '--exclude-standard'),
  ];
}

/**
 * Those of `tests` that are changed, or import a changed file, also by way of others. A file that is not TypeScript concerns
 * the tests of its own folder; where that has none, those of the nearest folder above. The root's own are in `scripts`.
 * `importsOf` gives the files that a file imports.
 */
export function testsOf(
  changed: readonly string[],
  tests: readonly string[],
  importsOf: (path: string) => string[] = importedFiles,
): string[] {
  const isChanged = new Set(changed);
  const others = changed.filter((path) => !/\.tsx?$/.test(path));
  const folders = new Set(others.map((path) => folderWithTests(path, tests)));
  const concernsUnits = others.some((path) => concernEveryUnitTest.test(path));
  const reaches = whoReaches(isChanged, importsOf);
  return tests.filter(
    (test) =>
      reaches(test) ||
      [...folders].some((folder) => test.startsWith(folder)) ||
      (concernsUnits && !/\.\w+\.test\.ts$/.test(test)),
  );
}

function folderWithTests(path: string, tests: readonly string[]): string {
  const parts = path.split('/').slice(0, -1);
  for (; parts.length > 0; parts.pop()) {
    const folder = `${parts.join('/')}/`;
    if (tests.some((test) => test.startsWith(folder))) return folder;
  }
  return 'scripts/';
}

/** No file imports itself by way of others (tidy.test.ts), so that no path has to be remembered while it is followed. */
function whoReaches(
  changed: ReadonlySet<string>,
  importsOf: (path: string) => string[],
): (path: string) => boolean {
  const known = new Map<string, boolean>();
  const reaches = (path: string): boolean => {
    const answer =
      known.get(path) ??
      (changed.has(path) || (/\.tsx?$/.test(path) && importsOf(path).some(reaches)));
    known.set(path, answer);
    return answer;
  };
  return reaches;
}
