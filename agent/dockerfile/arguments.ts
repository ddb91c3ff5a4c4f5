/** The arguments of each kind of instruction, from the text behind its name and flags. */
import { quotedWords } from './command-line.ts';

export interface Arguments {
  /** As written: quotes, escapes and variables are for later. */
  args: string[];
  /** Whether they came as a JSON list. */
  isJson: boolean;
  /** Of ENV and LABEL. */
  pairs?: Pair[];
}

export interface Pair {
  name: string;
  value: string;
  /** `ENV name value`, without an equals sign. */
  isLegacy: boolean;
}

/** Throws an Error that says what is wrong. */
export type ArgumentParser = (rest: string, escapeChar: string) => Arguments;

const plain = (args: string[]): Arguments => ({ args, isJson: false });

const asIs: ArgumentParser = (rest) => plain(rest === '' ? [] : [rest]);
const atBlanks: ArgumentParser = (rest) => plain(rest === '' ? [] : rest.split(/[\t\v\f\r ]+/));
const quoted: ArgumentParser = (rest, escapeChar) => plain(quotedWords(rest, escapeChar));
const listOrLine: ArgumentParser = (rest, escapeChar) => jsonList(rest) ?? asIs(rest, escapeChar);
const listOrWords: ArgumentParser = (rest, escapeChar) =>
  jsonList(rest) ?? atBlanks(rest, escapeChar);

/** `CMD` and then what RUN takes. */
const healthCheck: ArgumentParser = (rest, escapeChar) => {
  const [, kind = '', command = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  if (kind === '') return plain([]);
  const { args, isJson } = listOrLine(command, escapeChar);
  return { args: [kind, ...args], isJson };
};

const pairsOf =
  (instruction: string): ArgumentParser =>
  (rest, escapeChar) => {
    const words = quotedWords(rest, escapeChar);
    if (words.length === 0) return { ...plain([]), pairs: [] };
    // The first word decides which of the two forms this is.
    const pairs = words[0]!.includes('=') ? words.map(pairOf) : [legacyPair(rest, instruction)];
    return { ...plain(words), pairs };
  };

function pairOf(word: string): Pair {
  const equals = word.indexOf('=');
  if (equals === -1)
    throw new Error(
      `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
    );
  return { name: word.slice(0, equals), value: word.slice(equals + 1), isLegacy: false };
}

function legacyPair(rest: string, instruction: string): Pair {
  const [, name = '', value] = /^([^\t\v\f\r ]*)[\t\v\f\r ]+(.*)$/s.exec(rest) ?? [];
  if (value === undefined) throw new Error(`${instruction} must have two arguments`);
  return { name, value, isLegacy: true };
}

/** Undefined when the text is no JSON list, and so a plain line. */
function jsonList(rest: string): Arguments | undefined {
  if (!rest.startsWith('[')) return undefined;
  let list: unknown;
  try {
    list = JSON.parse(rest);
  } catch {
    return undefined;
  }
  if (!(list as unknown[]).every((word) => typeof word === 'string'))
    throw new Error('when using JSON array syntax, arrays must be comprised of strings only');
  return { args: list as string[], isJson: true };
}

/** By instruction, all but ONBUILD, whose argument is an instruction itself. */
export const argumentParsers: Readonly<Record<string, ArgumentParser>> = {
  add: listOrWords,
  arg: quoted,
  cmd: listOrLine,
  copy: listOrWords,
  entrypoint: listOrLine,
  env: pairsOf('ENV'),
  expose: atBlanks,
  from: atBlanks,
  healthcheck: healthCheck,
  label: pairsOf('LABEL'),
  maintainer: asIs,
  run: listOrLine,
  shell: listOrLine,
  stopsignal: asIs,
  user: asIs,
  volume: listOrWords,
  workdir: asIs,
};
