/** Parses the command line: options of the command, a verb, and the verb's options (runc's names). */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { invalid } from '../errors.ts';

export type Options = NonNullable<ParseArgsConfig['options']>;
export type Values = Record<string, string | boolean | (string | boolean)[] | undefined>;

export interface Verb {
  /** Parameters for the usage, such as `<id> [signal]`. */
  takes: string;
  about: string;
  options: Options;
  run(call: Call): Promise<number> | number;
}

export interface Call {
  values: Values;
  /** Parameters after the options; for `exec` they include the program's own options. */
  words: string[];
}

/**
 * Parses options up to the first other parameter, so that a program's options stay unparsed. Throws invalid with the
 * option's name.
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

/** Does the same, but options may follow parameters (`delete ID --force`). */
export function parseAnywhere(args: readonly string[], options: Options): Call {
  try {
    const all = { args: args.map(twoDashes), options, allowPositionals: true };
    const { values, positionals } = parseArgs(all);
    return { values, words: positionals };
  } catch (error) {
    throw invalid((error as Error).message, error);
  }
}

/** Programs in Go accept `-pid-file` for `--pid-file`. */
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

/** A whole number, which may be negative. Throws invalid. */
export function numberOf(call: Call, name: string): number | undefined {
  const text = textOf(call, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value))
    throw invalid(`--${name} takes a whole number, not "${text}"`);
  return value;
}

/** ID of the verb's container. Throws invalid when it is missing. */
export function idOf({ words }: Call): string {
  const [id] = words;
  if (id === undefined || id === '') throw invalid('give the id of a container');
  return id;
}

/** Does the same as {@link idOf}, for verbs without further parameters. */
export function onlyIdOf(call: Call): string {
  const id = idOf(call);
  if (call.words.length > 1) throw invalid(`unexpected "${call.words[1]}" after the id`);
  return id;
}
