/** What the words of scripts/test choose: groups, files, and what has to be set up for those. */
import { globSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { changedFiles, testsOf } from './changed-files.ts';

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

/** What scripts/test was asked for. */
export interface Request {
  groups: Group[];
  /** Relative to the root. */
  paths: string[];
  isChanged: boolean;
  /** Where the seconds that each file took are written. */
  timings: string | undefined;
}

export function readWords(words: readonly string[]): Request {
  const { values, positionals } = parseArgs({
    args: [...words],
    options: { changed: { type: 'boolean' }, timings: { type: 'string' } },
    allowPositionals: true,
  });
  const isGroup = (word: string): word is Group =>
    ([...fileGroups, ...otherGroups] as string[]).includes(word);
  return {
    groups: positionals.filter(isGroup),
    paths: positionals.filter((word) => !isGroup(word)).map(fromRoot),
    isChanged: values.changed ?? false,
    timings: values.timings,
  };
}

/** A slash at its end is kept: it tells a folder from files whose names begin like it. */
function fromRoot(path: string): string {
  const name = relative(root, resolve(path));
  return name !== '' && path.endsWith('/') ? `${name}/` : name;
}

/** What these words choose among all test files of this checkout. Throws a NothingChosen. */
export function chooseFrom(request: Request): Chosen {
  const all = testFiles();
  const complaint = complaintOf(request, all);
  if (complaint !== undefined) throw new NothingChosen(complaint);
  return choose(request, request.isChanged ? testsOf(changedFiles(), all) : all);
}

/** A mistake in the words; its message is for who wrote them. */
export class NothingChosen extends Error {}

export function choose({ groups, paths, isChanged }: Request, all: readonly string[]): Chosen {
  const files = all.filter((file) => paths.length === 0 || paths.some((path) => isAt(file, path)));
  // Of those that take long, and say little of most changes, only what is asked for.
  const isWanted = (group: FileGroup) =>
    groups.length === 0 ? group !== 'desktop' : groups.includes(group);
  const of = (group: FileGroup) =>
    isWanted(group) ? files.filter((file) => groupOf(file) === group) : [];
  const isEverything = groups.length === 0 && paths.length === 0 && !isChanged;
  return {
    files: {
      unit: of('unit'),
      linux: of('linux'),
      e2e: of('e2e'),
      vm: of('vm'),
      desktop: of('desktop'),
    },
    checks: isEverything || groups.includes('check'),
    guest: groups.includes('guest'),
  };
}

/** What is wrong with a request that has a path without tests, or narrows its paths to none; undefined: nothing is. */
export function complaintOf(request: Request, all: readonly string[]): string | undefined {
  const { groups, paths } = request;
  for (const path of paths) {
    const files = all.filter((file) => isAt(file, path));
    if (files.length === 0) return `no test file is at '${path}', or begins with it`;
    const chosen = choose({ ...request, paths: [path] }, files);
    if (Object.values(chosen.files).flat().length > 0) continue;
    const others = [...new Set(files.map(groupOf))].join(' and ');
    return groups.length === 0
      ? `the tests at '${path}' are of the group ${others}, which runs only where it is named too`
      : `the tests at '${path}' are of the group ${others}, not ${groups.join(' or ')}`;
  }
  return undefined;
}

const isAt = (file: string, path: string) => file.startsWith(path);

/** `paths` again: some files run only by their own names. */
export function setUpsFor({ files, guest }: Chosen, { paths }: Pick<Request, 'paths'>): SetUp[] {
  const named = (name: string) => paths.some((path) => path.includes(name));
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

export function groupOf(path: string): FileGroup {
  const kind = /\.(\w+)\.test\.ts$/.exec(path)?.[1];
  return fileGroups.find((group) => group === kind) ?? 'unit';
}
