/**
 * `--change` of commit and import: the Dockerfile instructions that only change an image's
 * configuration, with moby's meaning (builder/dockerfile, dispatchers.go).
 */
import { posix } from 'node:path';
import { variableName } from '../../contract/environment.ts';
import type { ImageConfig } from '../../contract/image.ts';
import { invalid } from '../../errors.ts';
import { parseSignal } from '../../kernel/signals.ts';
import { expanded, wordsOf } from './dockerfile-words.ts';
import { healthCheckOf } from './health-change.ts';

interface Draft {
  config: ImageConfig;
  /** Whether these instructions set CMD, which an ENTRYPOINT among them must then not reset. */
  isCmdSet: boolean;
}

type Instruction = (draft: Draft, rest: string) => void;

/** Applies the instructions to a copy of `config`. Throws invalid. */
export function withChanges(config: ImageConfig, changes: readonly string[]): ImageConfig {
  const draft: Draft = { config: structuredClone(config), isCmdSet: false };
  for (const line of instructionsOf(changes)) {
    const [, name = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
    const instruction = instructions[name.toLowerCase()];
    if (instruction === undefined) throw invalid(`${name} is not a valid change command`);
    if (rest === '') throw invalid(`${name.toUpperCase()} requires at least one argument`);
    instruction(draft, rest);
  }
  return draft.config;
}

/**
 * Splits into instructions, without comments and empty lines. A backslash at the end continues a
 * line.
 */
function instructionsOf(changes: readonly string[]): string[] {
  const lines = changes.flatMap((change) => change.split('\n'));
  const whole: string[] = [];
  let begun = '';
  for (const line of lines) {
    if (/^\s*(#|$)/.test(line)) continue;
    const isOpen = /\\\s*$/.test(line);
    begun += isOpen ? line.replace(/\\\s*$/, '') : line;
    if (isOpen) continue;
    whole.push(begun.trim());
    begun = '';
  }
  return begun.trim() === '' ? whole : [...whole, begun.trim()];
}

const instructions: Record<string, Instruction> = {
  cmd: (draft, rest) => {
    draft.config.Cmd = commandOf(draft, rest);
    draft.isCmdSet = true;
  },
  entrypoint: (draft, rest) => {
    draft.config.Entrypoint = commandOf(draft, rest);
    // The earlier command belonged to another entrypoint.
    if (!draft.isCmdSet) delete draft.config.Cmd;
  },
  env: ({ config }, rest) => {
    const env = [...(config.Env ?? [])];
    for (const [name, value] of pairsOf('ENV', rest, config)) {
      const at = env.findIndex((entry) => variableName(entry) === name);
      env.splice(at === -1 ? env.length : at, 1, `${name}=${value}`);
    }
    config.Env = env;
  },
  label: ({ config }, rest) => {
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairsOf('LABEL', rest, config)) };
  },
  expose: ({ config }, rest) => {
    const words = wordsOf(rest).map((word) => expanded(word, envOf(config)));
    // A variable without a value expands to no port.
    const ports = words.filter((word) => word !== '').flatMap(portsOf);
    config.ExposedPorts = { ...config.ExposedPorts, ...keyed(ports) };
  },
  volume: ({ config }, rest) => {
    const paths = (jsonWordsOf(rest) ?? wordsOf(rest)).map((word) =>
      expanded(word, envOf(config)).trim(),
    );
    if (paths.includes('')) throw invalid('VOLUME specified can not be an empty string');
    config.Volumes = { ...config.Volumes, ...keyed(paths) };
  },
  user: ({ config }, rest) => {
    config.User = expanded(rest, envOf(config));
  },
  workdir: ({ config }, rest) => {
    config.WorkingDir = posix.resolve('/', config.WorkingDir || '/', expanded(rest, envOf(config)));
  },
  stopsignal: ({ config }, rest) => {
    const signal = expanded(rest, envOf(config));
    parseSignal(signal);
    config.StopSignal = signal;
  },
  healthcheck: (draft, rest) => {
    draft.config.Healthcheck = healthCheckOf(rest, (command) => {
      const words = jsonWordsOf(command);
      return words === undefined ? ['CMD-SHELL', command] : ['CMD', ...words];
    });
  },
  onbuild: ({ config }, rest) => {
    const [trigger = ''] = rest.toUpperCase().split(/\s/, 1);
    if (trigger === 'ONBUILD')
      throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === 'MAINTAINER' || trigger === 'FROM')
      throw invalid(`${trigger} isn't allowed as an ONBUILD trigger`);
    config.OnBuild = [...(config.OnBuild ?? []), rest];
  },
};

/** A JSON list is executed as it is, a plain line by the image's shell. */
function commandOf({ config }: Draft, rest: string): string[] {
  return jsonWordsOf(rest) ?? [...(config.Shell ?? ['/bin/sh', '-c']), rest];
}

/** Returns undefined when the text is not a JSON list and so is a plain line. */
function jsonWordsOf(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  if (!list.every((word) => typeof word === 'string'))
    throw invalid('when using JSON array syntax, arrays must be comprised of strings only');
  return list;
}

/** Parses `name=value …`, or the old form of one name and the rest of the line. */
function pairsOf(instruction: string, rest: string, config: ImageConfig): [string, string][] {
  const env = envOf(config);
  const words = wordsOf(rest);
  if (words[0]?.includes('=') !== true) {
    const [, name = '', value] = /^(\S+)\s+(.+)$/s.exec(rest) ?? [];
    if (value === undefined) throw invalid(`${instruction} must have two arguments`);
    return [[expanded(name, env), expanded(value, env)]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals === -1)
      throw invalid(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    const name = expanded(word.slice(0, equals), env);
    if (name === '') throw invalid(`${instruction} names can not be blank`);
    return [name, expanded(word.slice(equals + 1), env)];
  });
}

function envOf({ Env = [] }: ImageConfig): Map<string, string> {
  return new Map(
    Env.map((entry) => {
      const [name = '', ...value] = entry.split('=');
      return [name, value.join('=')];
    }),
  );
}

const highestPort = 65_535;

/** `80`, `53/udp`, `8000-8003/tcp`. */
function portsOf(text: string): string[] {
  const [range = '', protocol = 'tcp'] = text.split('/', 2);
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (!/^(tcp|udp|sctp)$/i.test(protocol)) throw invalid(`Invalid proto: ${protocol}`);
  if (!(from >= 1 && from <= to && to <= highestPort))
    throw invalid(`Invalid containerPort: ${range}`);
  return Array.from(
    { length: to - from + 1 },
    (_, index) => `${from + index}/${protocol.toLowerCase()}`,
  );
}

const keyed = (names: readonly string[]): Record<string, Record<string, never>> =>
  Object.fromEntries(names.map((name) => [name, {}]));
