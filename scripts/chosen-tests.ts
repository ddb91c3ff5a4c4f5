/** What the words of scripts/test choose: groups, files, and what has to be set up for those. */
import { globSync } from 'node:fs';
import { relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** Groups of files; a path that is in none of the others is a unit test's. */
export const fileGroups = ['unit', 'linux', 'e2e', 'vm', 'desktop'] as const;
export type FileGroup = (typeof fileGroups)[number];
const otherGroups = ['check', 'guest'] as const;
type Group = FileGroup | (typeof otherGroups)[number];

export interface Chosen {
  /** Relative to the root, by their group. */
  files: Record<FileGroup, string[]>;
  checks: boolean;
  guest: boolean;
}

/** Names of `scripts/setup`'s purposes, and the bundle for remote hosts. */
export type SetUp =
  | 'guest-test'
  | 'desktop-test'
  | 'vm-test'
  | 'qcow2-test'
  | 'arm64-test'
  | 'remote-bundle';

export function testFiles(): string[] {
  return globSync('{agent,cli,devtools,electron,packaging,renderer,scripts}/**/*.test.ts', {
    cwd: root,
  })
    .filter((path) => !path.includes('node_modules'))
    .sort();
}

export function choose(words: readonly string[], all: readonly string[]): Chosen {
  const isGroup = (word: string): word is Group =>
    ([...fileGroups, ...otherGroups] as string[]).includes(word);
  const groups = words.filter(isGroup);
  const paths = words.filter((word) => !isGroup(word)).map((path) => relative(root, resolve(path)));
  const files = all.filter(
    (file) => paths.length === 0 || paths.some((path) => file.startsWith(path)),
  );
  // Of those that take long, and say little of most changes, only what is asked for.
  const isWanted = (group: FileGroup) =>
    groups.length === 0 ? group !== 'desktop' : groups.includes(group);
  const of = (group: FileGroup) =>
    isWanted(group) ? files.filter((file) => groupOf(file) === group) : [];
  return {
    files: {
      unit: of('unit'),
      linux: of('linux'),
      e2e: of('e2e'),
      vm: of('vm'),
      desktop: of('desktop'),
    },
    checks: words.length === 0 || groups.includes('check'),
    guest: groups.includes('guest'),
  };
}

/** `words` again: some files run only by their own names. */
export function setUpsFor({ files, guest }: Chosen, words: readonly string[]): SetUp[] {
  const named = (name: string) => words.some((word) => word.includes(name));
  const own = { 'qcow2-test': named('qcow2.vm'), 'arm64-test': named('arm64.vm') };
  const onHost = [...files.linux, ...files.e2e, ...files.desktop];
  const wanted: Record<SetUp, boolean> = {
    ...own,
    'vm-test': files.vm.some((file) => !/(qcow2|arm64)\.vm\.test\.ts$/.test(file)),
    'guest-test': guest,
    'desktop-test': files.desktop.length > 0,
    // What tests bring to a remote host is made of packages, and there is no network where they run.
    'remote-bundle': onHost.some((file) => file.startsWith('electron/')),
  };
  return (Object.keys(wanted) as SetUp[]).filter((each) => wanted[each]);
}

function groupOf(path: string): FileGroup {
  const kind = /\.(\w+)\.test\.ts$/.exec(path)?.[1];
  return fileGroups.find((group) => group === kind) ?? 'unit';
}
