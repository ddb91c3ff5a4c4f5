/**
 * The entries of a build context in the order of a tar archive: sorted, directories before what is in them, without what
 * `.dockerignore` excludes (docker CLI, cli/command/image/build).
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  cleanPath,
  type ParentMatches,
  PatternMatcher,
  readIgnoreFile,
} from '../../../agent/builder/patterns.ts';

export interface ContextEntry {
  /** Relative to the folder, with slashes. */
  path: string;
  isDirectory: boolean;
}

/** Throws with the path of what cannot be read, and invalid for a pattern that makes no sense. */
export async function* walkContext(
  folder: string,
  dockerfile: string,
): AsyncGenerator<ContextEntry> {
  const matcher = new PatternMatcher(await ignorePatterns(folder, dockerfile));
  // Directories that are excluded come only when something in them is not.
  const waiting: string[] = [];
  yield* walk('', []);

  async function* walk(path: string, parent: ParentMatches): AsyncGenerator<ContextEntry> {
    for (const entry of await sortedEntries(join(folder, path))) {
      const child = path === '' ? entry.name : `${path}/${entry.name}`;
      const { isMatch: isExcluded, matches } = matcher.matchesBelow(child, parent);
      const isDirectory = entry.isDirectory();
      if (!isExcluded) {
        for (const above of waiting.splice(0)) yield { path: above, isDirectory: true };
        yield { path: child, isDirectory };
        if (isDirectory) yield* walk(child, matches);
      } else if (isDirectory && mayHoldIncluded(child, matcher)) {
        waiting.push(child);
        yield* walk(child, matches);
        if (waiting.at(-1) === child) waiting.pop();
      }
    }
  }
}

/** The Dockerfile and the ignore file are always sent: the engine reads them. */
async function ignorePatterns(folder: string, dockerfile: string): Promise<string[]> {
  const own = `${dockerfile}.dockerignore`;
  for (const name of [own, '.dockerignore']) {
    const text = await readFile(join(folder, name), 'utf8').catch(ifMissing);
    if (text === undefined) continue;
    return [...readIgnoreFile(text), `!${cleanPath(dockerfile)}`, `!${name}`];
  }
  return [];
}

/** Whether a pattern with `!` may take something back that is below an excluded directory. */
function mayHoldIncluded(path: string, { patterns }: PatternMatcher): boolean {
  return patterns.some(
    ({ text, isExclusion }) =>
      isExclusion && (/[*?[\\]/.test(text) || `${text}/`.startsWith(`${path}/`)),
  );
}

async function sortedEntries(directory: string) {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
