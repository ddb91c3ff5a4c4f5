/** The command line: options of the command, a verb, and that verb's options (runc's names). */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { invalid } from '../errors.ts';

export type Options = NonNullable<ParseArgsConfig['options']>;
export type Values = Record<string, string | boolean | (string | boolean)[] | undefined>;

export interface Verb {
  /** `<id> [signal]`, for the usage. */
  takes: string;
  about: string;
  options: Options;
  run(call: Call): Promise<number> | number;
}

export interface Call {
  values: Values;
  /** What follows the options. For `exec` that includes the program's own options. */
  words: string[];
}

/**
 * Options end at the first word that is none, so that a program's own are not taken for ours.
 * Throws invalid, naming the option.
 */
export function parseOptions(args: readonly string[], options: Options): Call {
  const end = firstWord(args, options);
  try {
    const { values } = parseArgs({ args: args.slice(0, end).map(twoDashes), options });
    const words = args.slice(end);
    return { values, words: words[0] === '--' ? words.slice(1) : words };
  } catch (error) {
    throw invalid((error as Error).message, error);
  }
}

/** The same, but options may follow words too (`delete ID --force`). */
export function parseAnywhere(args: readonly string[], options: Options): Call {
  try {
    const all = { args: args.map(twoDashes), options, allowPositionals: true };
    const { values, positionals } = parseArgs(all);
    return { values, words: positionals };
  } catch (error) {
    throw invalid((error as Error).message, error);
  }
}

/** Programs in Go take `-pid-file` for `--pid-file`. */
function twoDashes(word: string): string {
  return /^-[a-z][a-z-]+(=|$)/.test(word) ? `-${word}` : word;
}

function firstWord(args: readonly string[], options: Options): number {
  for (let at = 0; at < args.length; at++) {
    const word = twoDashes(args[at]!);
    if (!word.startsWith('-') || word === '-' || word === '--') return at;
    const name = word.startsWith('--')
      ? word.slice(2)
      : Object.keys(options).find((key) => options[key]?.short === word.slice(1));
    if (!word.includes('=') && options[name ?? '']?.type === 'string') at++;
  }
  return args.length;
}

export function textOf({ values }: Call, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

export function textsOf({ values }: Call, name: string): string[] {
  const value = values[name];
  return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string');
}

/** A whole number, also negative. Throws invalid. */
export function numberOf(call: Call, name: string): number | undefined {
  const text = textOf(call, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value))
    throw invalid(`--${name} takes a whole number, not "${text}"`);
  return value;
}

/** The container that a verb is about. Throws invalid without one. */
export function idOf({ words }: Call): string {
  const [id] = words;
  if (id === undefined || id === '') throw invalid('give the id of a container');
  return id;
}

/** As {@link idOf}, for verbs that take nothing else. */
export function onlyIdOf(call: Call): string {
  const id = idOf(call);
  if (call.words.length > 1) throw invalid(`unexpected "${call.words[1]}" after the id`);
  return id;
}
