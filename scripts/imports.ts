/** The static imports between the files of this repository, found by their text alone. */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** What the file imports or exports again, as it is written there. `path` is relative to the root. */
export function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  const pattern =
    /^(?:import|export)\b[^'"`;]*?from\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]/gm;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? '');
}

/** Those of its imports that are files of this repository, relative to the root. */
export function importedFiles(path: string): string[] {
  return importsOf(path)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => normalize(join(dirname(path), specifier)));
}
