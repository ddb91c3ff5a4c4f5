/**
 * Patterns of .dockerignore's kind, with the rules of moby/patternmatcher (v0.6): the last pattern that matches a path,
 * or a directory above it, decides; `!` takes paths back; `**` stands for any number of directories. They choose what a
 * build context holds and what COPY takes. Also Go's path.Match and filepath.Clean, in which their rules are written.
 */
import { posix } from 'node:path';
import { invalid } from '../errors.ts';

/** What is known of a directory while its tree is walked: which patterns matched it or what is above it. */
export type ParentMatches = readonly boolean[];

interface Pattern {
  /** Without the `!`. */
  text: string;
  isExclusion: boolean;
  matches: (path: string) => boolean;
}

export class PatternMatcher {
  readonly #patterns: readonly Pattern[];

  /** Empty patterns are skipped. Throws invalid for `!` alone and for what path.Match calls a bad pattern. */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns
      .map((pattern) => pattern.trim())
      .filter((pattern) => pattern !== '')
      .map(parsePattern);
  }

  /** Whether some pattern takes paths back (`!`): below a path that matches there may then be some that do not. */
  get hasExclusions(): boolean {
    return this.#patterns.some(({ isExclusion }) => isExclusion);
  }

  get patterns(): readonly { text: string; isExclusion: boolean }[] {
    return this.#patterns;
  }

  /** Whether `path`, relative and with slashes, matches by itself or by a directory that it is in. */
  matches(path: string): boolean {
    return this.matchesBelow(path, []).isMatch;
  }

  /**
   * The same with what matched the directory that holds the path, which spares its own parents the test. An empty list
   * says that nothing is known of them.
   */
  matchesBelow(path: string, parent: ParentMatches): { isMatch: boolean; matches: ParentMatches } {
    const matches: boolean[] = [];
    let isMatch = false;
    for (const [index, pattern] of this.#patterns.entries()) {
      let found = parent[index] ?? false;
      // A pattern that could not change the outcome is not tried, as in the original: its children do not inherit it.
      if (!found && pattern.isExclusion === isMatch)
        found =
          pattern.matches(path) || (parent.length === 0 && parentsOf(path).some(pattern.matches));
      matches.push(found);
      if (found) isMatch = !pattern.isExclusion;
    }
    return { isMatch, matches };
  }
}

function parsePattern(original: string): Pattern {
  const cleaned = cleanPath(original);
  const isExclusion = cleaned.startsWith('!');
  const text = isExclusion ? cleaned.slice(1) : cleaned;
  if (text === '') throw invalid('illegal exclusion pattern: "!"');
  checkSyntax(text);
  return { text, isExclusion, matches: compile(text) };
}

/** With Go's filepath.Dir, for which what ends in a slash is a directory that is above nothing. */
function parentsOf(path: string): string[] {
  const end = path.lastIndexOf('/');
  if (end < 0) return [];
  const parts = cleanPath(path.slice(0, end + 1)).split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** A pattern as a test of whole paths. What has no wildcard, or only one `**` at an end, needs no expression. */
function compile(pattern: string): (path: string) => boolean {
  const { source, kind } = translate(pattern);
  if (kind === 'exact') return (path) => path === pattern;
  if (kind === 'prefix') {
    const prefix = pattern.slice(0, -2);
    return (path) => path.startsWith(prefix);
  }
  if (kind === 'suffix') {
    const suffix = pattern.slice(2);
    return (path) => path.endsWith(suffix) || (suffix[0] === '/' && path === suffix.slice(1));
  }
  const expression = expressionOf(source, pattern);
  return (path) => expression.test(path);
}

type Kind = 'exact' | 'prefix' | 'suffix' | 'expression';

/** Walks the pattern as the original does, which decides by position what a `**` means. */
function translate(pattern: string): { source: string; kind: Kind } {
  const characters = [...pattern];
  let source = '';
  let kind: Kind = 'exact';
  let inClass = false;
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === '*' && characters[at + 1] === '*') {
      const isFirst = at === 0;
      at += characters[at + 2] === '/' ? 2 : 1;
      if (at === characters.length - 1) {
        if (kind === 'exact') kind = 'prefix';
        else {
          source += '[^\\n]*';
          kind = 'expression';
        }
      } else {
        source += '(?:[^\\n]*/)?';
        kind = 'expression';
      }
      if (isFirst) kind = 'suffix';
    } else if (character === '*' || character === '?') {
      source += inClass ? character : character === '*' ? '[^/]*' : '[^/]';
      kind = 'expression';
    } else if (character === '\\') {
      source += literal(characters[++at] ?? '\\');
      if (at < characters.length) kind = 'expression';
    } else if (character === '[' || character === ']') {
      // Inside a class a further bracket stands for itself.
      source += inClass === (character === '[') ? `\\${character}` : character;
      if (inClass === (character === ']')) inClass = character === '[';
      kind = 'expression';
    } else {
      source +=
        inClass && (character === '-' || character === '^') ? character : literal(character);
    }
  }
  return { source, kind };
}

const literal = (character: string) =>
  /[\\^$.*+?()[\]{}|/-]/.test(character) ? `\\${character}` : character;

function expressionOf(source: string, pattern: string): RegExp {
  try {
    return new RegExp(`^${source}$`, 'u');
  } catch (error) {
    // path.Match takes classes such as `[z-a]` for ones that nothing matches; its callers report them.
    throw invalid(`syntax error in pattern "${pattern}"`, error);
  }
}

/** Throws invalid for a class that is empty, does not end or has a `-` at its end, and for a lone `\` at the end. */
function checkSyntax(pattern: string): void {
  const bad = () => invalid(`syntax error in pattern "${pattern}"`);
  const characters = [...pattern];
  for (let at = 0; at < characters.length; at++) {
    if (characters[at] === '\\') at++;
    else if (characters[at] === '[') at = endOfClass(characters, at + 1);
    if (at < 0 || at >= characters.length) throw bad();
  }
}

/** The index of the `]` that ends the class; negative when its text is wrong (path.Match, getEsc). */
function endOfClass(characters: readonly string[], start: number): number {
  let at = characters[start] === '^' ? start + 1 : start;
  for (let ranges = 0; ; ranges++) {
    if (characters[at] === ']' && ranges > 0) return at;
    at = endOfMember(characters, at);
    if (at >= 0 && characters[at] === '-') at = endOfMember(characters, at + 1);
    if (at < 0) return -1;
  }
}

/** Behind one character of a class, which a `\` may precede. */
function endOfMember(characters: readonly string[], at: number): number {
  const character = characters[at];
  if (character === undefined || character === '-' || character === ']') return -1;
  const next = character === '\\' ? at + 2 : at + 1;
  return next < characters.length ? next : -1;
}

/**
 * Whether the whole of `name` matches: Go's path.Match, in which `*` stops at a slash and `**` is nothing special.
 * Throws invalid for a bad pattern.
 */
export function matchPath(pattern: string, name: string): boolean {
  checkSyntax(pattern);
  let known = compiledPaths.get(pattern);
  if (known === undefined) {
    if (compiledPaths.size >= mostCompiledPaths) compiledPaths.clear();
    known = expressionOf(pathSource([...pattern]), pattern);
    compiledPaths.set(pattern, known);
  }
  return known.test(name);
}

const compiledPaths = new Map<string, RegExp>();
const mostCompiledPaths = 256;

function pathSource(characters: readonly string[]): string {
  let source = '';
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '\\') source += literal(characters[++at]!);
    else if (character === '[') {
      const end = endOfClass(characters, at + 1);
      const isNegated = characters[at + 1] === '^';
      source += classSource(characters.slice(at + (isNegated ? 2 : 1), end), isNegated);
      at = end;
    } else source += literal(character);
  }
  return source;
}

function classSource(members: readonly string[], isNegated: boolean): string {
  let source = '';
  for (let at = 0; at < members.length; at++) {
    const character = members[at]!;
    if (character === '\\') source += literal(members[++at]!);
    else source += character === '-' ? '-' : literal(character);
  }
  return `[${isNegated ? '^' : ''}${source}]`;
}

/** Go's filepath.Clean: no empty, `.` and inner `..` parts, and no slash at the end; nothing is `.`. */
export function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/**
 * The patterns in the text of an ignore file: a byte order mark, comments and empty lines are left out, and a slash at
 * the start means nothing.
 */
export function readIgnoreFile(text: string): string[] {
  const patterns: string[] = [];
  for (const line of text.replace(/^\uFEFF/, '').split('\n')) {
    // Only at the very start of a line is it a comment.
    if (line.startsWith('#')) continue;
    const trimmed = line.trim();
    if (trimmed === '') continue;
    const isExclusion = trimmed.startsWith('!');
    const path = isExclusion ? trimmed.slice(1).trim() : trimmed;
    const cleaned = path === '' ? '' : cleanPath(path).replace(/^\/(?=.)/, '');
    patterns.push(isExclusion ? `!${cleaned}` : cleaned);
  }
  return patterns;
}
