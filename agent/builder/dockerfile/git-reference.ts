/** Git repositories as contexts and sources: `https://github.com/moby/moby.git?tag=v1&subdir=a#ref:dir`. */
import { posix } from 'node:path';
import { invalid } from '../../errors.ts';
import { type Edge, outputOf, type VertexDetails } from '../llb/graph.ts';
import { gitSource } from '../llb/sources.ts';
import { booleanOf } from './options.ts';

export interface GitReference {
  /** As git takes it. */
  remote: string;
  ref: string;
  subdirectory: string;
  checksum: string;
  keepsGitDirectory: boolean | undefined;
  withSubmodules: boolean | undefined;
  fetchesByCommit: boolean;
  mtime: string;
  /** `github.com/moby/moby`, which could be a path as well; only a whole context may be written so. */
  looksLocal: boolean;
}

/** Undefined for what is no git repository. Throws invalid for one whose query says what cannot be. */
export function parseGitReference(text: string): GitReference | undefined {
  if (/^\.\.?\//.test(text)) return undefined;
  const looksLocal = text.startsWith('github.com/');
  const [beforeFragment = '', fragment = ''] = splitOnce(text, '#');
  const [remote = '', query = ''] = splitOnce(beforeFragment, '?');
  if (!looksLocal && !isRepository(remote)) return undefined;
  const [ref = '', directory = ''] = splitOnce(fragment, ':');
  const reference: GitReference = {
    remote,
    ref,
    subdirectory: posix.join('/', directory).slice(1),
    checksum: '',
    keepsGitDirectory: undefined,
    withSubmodules: undefined,
    fetchesByCommit: false,
    mtime: '',
    looksLocal,
  };
  applyQuery(reference, new URLSearchParams(query));
  return reference;
}

function isRepository(remote: string): boolean {
  const [, scheme = ''] = /^([a-zA-Z0-9]+):\/\//.exec(remote) ?? [];
  switch (scheme.toLowerCase()) {
    case 'git':
    case 'ssh':
      return true;
    case 'http':
    case 'https':
      // Anything else behind an address is a file to download.
      return /^https?:\/\/[^/?]+(?::\d*)?\/.*\.git$/i.test(remote) && !hasBadPort(remote);
    case '':
      return /^[a-zA-Z0-9-_]+@[a-zA-Z0-9-.]+:[^:]/.test(remote);
    default:
      return false;
  }
}

function hasBadPort(remote: string): boolean {
  return !URL.canParse(remote);
}

function applyQuery(reference: GitReference, query: URLSearchParams): void {
  let tag = '';
  let branch = '';
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name);
    if (values.length > 1) throw invalid(`query ${JSON.stringify(name)} has multiple values`);
    const value = values[0] ?? '';
    if (value === '' && !switches.includes(name))
      throw invalid(`query ${JSON.stringify(name)} has no value`);
    switch (name) {
      case 'ref':
        reference.ref = agreed('ref', reference.ref, value);
        break;
      case 'tag':
        tag = value;
        break;
      case 'branch':
        branch = value;
        break;
      case 'subdir':
        reference.subdirectory = agreed('subdir', reference.subdirectory, value);
        break;
      case 'checksum':
      case 'commit':
        reference.checksum = value;
        break;
      case 'keep-git-dir':
        reference.keepsGitDirectory = switchOf(name, value);
        break;
      case 'submodules':
        reference.withSubmodules = switchOf(name, value);
        break;
      case 'fetch-by-commit':
        reference.fetchesByCommit = switchOf(name, value);
        break;
      case 'mtime':
        if (value !== 'checkout' && value !== 'commit')
          throw invalid(
            `invalid mtime value: ${JSON.stringify(value)} (must be "checkout" or "commit")`,
          );
        reference.mtime = value;
        break;
      default:
        throw invalid(`unexpected query ${JSON.stringify(name)}`);
    }
  }
  if (tag !== '' && branch !== '') throw invalid('branch conflicts with tag');
  if (tag !== '') reference.ref = agreed('ref', reference.ref, within('refs/tags/', tag));
  if (branch !== '') reference.ref = agreed('ref', reference.ref, within('refs/heads/', branch));
}

const switches = ['submodules', 'keep-git-dir', 'fetch-by-commit'];

function switchOf(name: string, value: string): boolean {
  const is = value === '' ? true : booleanOf(value);
  if (is === undefined) throw invalid(`invalid ${name} value: ${JSON.stringify(value)}`);
  return is;
}

function agreed(what: string, earlier: string, later: string): string {
  if (earlier !== '' && earlier !== later)
    throw invalid(`${what} conflicts: ${JSON.stringify(earlier)} vs ${JSON.stringify(later)}`);
  return later;
}

const within = (prefix: string, name: string): string =>
  name.startsWith(prefix) ? name : prefix + name;

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

export function gitEdge(reference: GitReference, details: VertexDetails): Edge {
  const { remote, looksLocal, keepsGitDirectory, withSubmodules, ...rest } = reference;
  return outputOf(
    gitSource({
      ...rest,
      remote: looksLocal ? `https://${remote}` : remote,
      keepsGitDirectory: keepsGitDirectory ?? false,
      skipsSubmodules: withSubmodules === false,
      details,
    }),
  );
}
