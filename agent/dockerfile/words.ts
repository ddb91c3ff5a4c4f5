/**
 * Words of Dockerfile instructions: quotes, escapes and variables, with the outcomes of BuildKit's lexer
 * (frontend/dockerfile/shell), which leans on the shell's parameter expansion (POSIX XCU 2.6.2) without being it.
 */
import { invalid } from '../errors.ts';
import { withoutPrefix, withoutSuffix, withReplaced } from './shell-patterns.ts';

export interface Variables {
  get(name: string): string | undefined;
}

export interface WordOptions {
  /** The escape character, a backslash unless a `# escape=` directive says otherwise. */
  escape?: string;
  /** Quotes stay in the result. */
  rawQuotes?: boolean;
  /** Escape characters stay in the result. */
  rawEscapes?: boolean;
  /** Quotes mean nothing, as in the content of a heredoc. */
  skipQuotes?: boolean;
  /** Variables without a value stay as they are written. */
  keepUnset?: boolean;
}

export interface Expansion {
  text: string;
  /** The text split at blanks outside quotes. Blanks in values of unquoted variables split too. */
  words: string[];
  /** Names of variables that were used, with and without a value. */
  matched: Set<string>;
  unmatched: Set<string>;
}

/** Throws invalid for quotes and braces that do not end, substitutions that are none, and those that demand a value. */
export function expand(source: string, variables: Variables, options: WordOptions = {}): Expansion {
  const reader = new WordReader(source, variables, options);
  try {
    const { text, words } = reader.readUntil(undefined, options.rawEscapes === true);
    return { text, words, matched: reader.matched, unmatched: reader.unmatched };
  } catch (error) {
    throw invalid(
      `failed to process ${JSON.stringify(source)}: ${(error as Error).message}`,
      error,
    );
  }
}

/** Parameters that a shell sets itself: in a Dockerfile they are names that never have a value. */
const specialParameters = '@*#?-$!0';

class WordReader {
  readonly matched = new Set<string>();
  readonly unmatched = new Set<string>();
  readonly #chars: string[];
  #at = 0;
  readonly #variables: Variables;
  readonly #options: WordOptions;
  readonly #escape: string;

  constructor(source: string, variables: Variables, options: WordOptions) {
    this.#chars = Array.from(source);
    this.#variables = variables;
    this.#options = options;
    this.#escape = options.escape ?? '\\';
  }

  /** Up to `stop`, which is consumed; undefined: to the end. */
  readUntil(stop: string | undefined, rawEscapes: boolean): { text: string; words: string[] } {
    const words = new WordList();
    let text = '';
    while (this.#peek() !== undefined) {
      const char = this.#next()!;
      if (char === stop) return { text, words: words.all() };
      if (char === '$') {
        const value = this.#variable();
        text += value;
        words.addSplit(value);
      } else if (char === '<') {
        const marker = this.#heredocMarker();
        text += marker;
        words.add(marker);
      } else if (this.#options.skipQuotes !== true && (char === '"' || char === "'")) {
        const quoted = char === '"' ? this.#doubleQuoted(rawEscapes) : this.#singleQuoted();
        text += quoted;
        words.add(quoted);
      } else if (char === this.#escape) {
        const escaped = `${rawEscapes ? char : ''}${this.#next() ?? ''}`;
        text += escaped;
        if (escaped !== '') words.add(escaped);
      } else {
        text += char;
        words.addSplit(char);
      }
    }
    if (stop !== undefined)
      throw new Error(`unexpected end of statement while looking for matching ${stop}`);
    return { text, words: words.all() };
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #next(): string | undefined {
    return this.#chars[this.#at++];
  }

  /** Blanks between `<<` and the word belong to it, so that they do not split. */
  #heredocMarker(): string {
    if (this.#peek() !== '<') return '<';
    let marker = '<';
    do marker += this.#next();
    while (/^[\t\r ]$/.test(this.#peek() ?? ''));
    return marker;
  }

  #singleQuoted(): string {
    const quote = this.#options.rawQuotes === true ? "'" : '';
    const end = this.#chars.indexOf("'", this.#at);
    if (end === -1)
      throw new Error('unexpected end of statement while looking for matching single-quote');
    const text = this.#chars.slice(this.#at, end).join('');
    this.#at = end + 1;
    return quote + text + quote;
  }

  #doubleQuoted(rawEscapes: boolean): string {
    const quote = this.#options.rawQuotes === true ? '"' : '';
    let text = '';
    for (;;) {
      const char = this.#next();
      if (char === undefined)
        throw new Error('unexpected end of statement while looking for matching double-quote');
      if (char === '"') return quote + text + quote;
      if (char === '$') text += this.#variable();
      else if (char === this.#escape) text += this.#escapedInQuotes(rawEscapes);
      else text += char;
    }
  }

  /** Between double quotes only the characters with a meaning there can be escaped. */
  #escapedInQuotes(rawEscapes: boolean): string {
    const kept = rawEscapes ? this.#escape : '';
    const next = this.#peek();
    if (next === undefined) return kept;
    if (next === '"' || next === '$' || next === this.#escape) return kept + this.#next();
    return kept + this.#escape;
  }

  /** What follows a `$`. */
  #variable(): string {
    if (this.#peek() !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      return this.#value(name) ?? (this.#options.keepUnset === true ? `$${name}` : '');
    }
    this.#next();
    const first = this.#peek();
    if (first === undefined) throw new Error("syntax error: missing '}'");
    if ('{}:'.includes(first)) throw new Error('syntax error: bad substitution');
    const name = this.#name();
    const modifier = this.#next();
    if (modifier === '}')
      return this.#value(name) ?? (this.#options.keepUnset === true ? `\${${name}}` : '');
    if (modifier === '/') return this.#replacement(name);
    if (modifier === ':') return this.#modified(name, this.#next() ?? '', true);
    if (modifier !== undefined && '+-?#%'.includes(modifier))
      return this.#modified(name, modifier, false);
    throw new Error(`unsupported modifier (${modifier ?? 'none'}) in substitution`);
  }

  /** `${name:-word}` and its like; with a colon an empty value counts as none. */
  #modified(name: string, modifier: string, hasColon: boolean): string {
    const written = `${hasColon ? ':' : ''}${modifier}`;
    const isPattern = modifier === '#' || modifier === '%';
    if (hasColon && isPattern) throw new Error(`unsupported modifier (${written}) in substitution`);
    const word = this.#upTo('}', isPattern);
    const value = this.#value(name);
    if (value === undefined && this.#options.keepUnset === true)
      return `\${${name}${written}${word}}`;
    const isMissing = value === undefined || (hasColon && value === '');
    switch (modifier) {
      case '-':
        return isMissing ? word : value;
      case '+':
        return isMissing ? '' : word;
      case '?':
        if (!isMissing) return value;
        throw new Error(
          `${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`,
        );
      case '#':
        return withoutPrefix(value ?? '', ...longest(word, '#'));
      case '%':
        return withoutSuffix(value ?? '', ...longest(word, '%'));
      default:
        throw new Error(`unsupported modifier (${written}) in substitution`);
    }
  }

  /** `${name/pattern/replacement}`, and with two slashes at first for all places. */
  #replacement(name: string): string {
    const isForAll = this.#peek() === '/';
    if (isForAll) this.#next();
    const pattern = this.#upTo('/', true);
    const replacement = this.#upTo('}', true);
    const value = this.#value(name);
    if (value === undefined && this.#options.keepUnset === true)
      return `\${${name}/${pattern}/${replacement}}`;
    return withReplaced(value ?? '', pattern, replacement, isForAll);
  }

  #upTo(stop: string, rawEscapes: boolean): string {
    try {
      return this.readUntil(stop, rawEscapes).text;
    } catch (error) {
      if (this.#peek() !== undefined) throw error;
      throw new Error(`syntax error: missing '${stop}'`);
    }
  }

  #name(): string {
    const first = this.#peek() ?? '';
    if (/^\p{Nd}$/u.test(first)) return this.#while(/^\p{Nd}$/u);
    if (first !== '' && specialParameters.includes(first)) return this.#next()!;
    return this.#while(/^[\p{L}\p{Nd}_]$/u);
  }

  #while(pattern: RegExp): string {
    let text = '';
    while (pattern.test(this.#peek() ?? '')) text += this.#next();
    return text;
  }

  #value(name: string): string | undefined {
    const value = this.#variables.get(name);
    (value === undefined ? this.unmatched : this.matched).add(name);
    return value;
  }
}

/** `##` and `%%` take the longest match; their second character begins the word. */
function longest(word: string, sign: string): [pattern: string, isLongest: boolean] {
  return word.startsWith(sign) ? [word.slice(1), true] : [word, false];
}

/** Collects words: unquoted blanks end one. A word that is empty does not count, even if it was quoted. */
class WordList {
  readonly #words: string[] = [];
  #word = '';

  add(text: string): void {
    this.#word += text;
  }

  addSplit(text: string): void {
    for (const char of text) {
      if (/\s/.test(char)) this.#end();
      else this.#word += char;
    }
  }

  all(): string[] {
    this.#end();
    return this.#words;
  }

  #end(): void {
    if (this.#word !== '') this.#words.push(this.#word);
    this.#word = '';
  }
}
