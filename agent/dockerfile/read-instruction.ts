/** From parsed instructions to what they say, in BuildKit's words where one makes no sense. */
import { type FlagKind, type Flags, readFlags } from './flags.ts';
import type { Argument, Command, Instruction, Meaning } from './instruction.ts';
import { rules } from './lint-rules.ts';
import type { Linter } from './linter.ts';
import { checkMount } from './mount-options.ts';
import { type ParsedInstruction, positionOf } from './parser.ts';
import { readAdd, readCopy } from './read-copy.ts';
import { readHealthCheck } from './read-health-check.ts';
import { parseError } from './source.ts';
import { didYouMean } from './suggest.ts';

type Reader = (instruction: ParsedInstruction, linter: Linter) => Meaning;

/** Throws SourceError. */
export function readInstruction(source: ParsedInstruction, linter: Linter): Instruction {
  const own = linter.withComments(source.comments);
  try {
    const read = readers[source.keyword];
    if (read === undefined)
      throw new Error(
        `unknown instruction: ${source.name}${didYouMean(source.name, instructionNames, true)}`,
      );
    return { ...read(source, own), source } as Instruction;
  } catch (error) {
    const { message } = error as Error;
    throw parseError(message, { ...source.range, start: placeOf(source, message) }, error);
  }
}

/** The first line counts, as in BuildKit; the column is the one of the flag that the message names. */
function placeOf(source: ParsedInstruction, message: string) {
  const [flag = ''] = /--[a-z-]+/.exec(message) ?? [];
  const place = positionOf(source, flag);
  return place.line === source.range.start.line ? place : source.range.start;
}

const readers: Record<string, Reader> = {
  add: readAdd,
  arg: readArg,
  cmd: (source) => ({ kind: 'cmd', command: plainCommand(source) }),
  copy: readCopy,
  entrypoint: (source) => ({ kind: 'entrypoint', command: plainCommand(source) }),
  env: (source) => ({ kind: 'env', pairs: pairsOf(source) }),
  expose: readExpose,
  from: readFrom,
  healthcheck: (source) => ({ kind: 'healthcheck', check: readHealthCheck(source) }),
  label: (source) => ({ kind: 'label', pairs: pairsOf(source) }),
  maintainer: readMaintainer,
  onbuild: readOnBuild,
  run: readRun,
  shell: readShell,
  stopsignal: (source) => ({ kind: 'stopsignal', signal: onlyArgument(source) }),
  user: (source) => ({ kind: 'user', user: plain(source, onlyArgument(source)) }),
  volume: readVolume,
  workdir: (source) => ({ kind: 'workdir', path: plain(source, onlyArgument(source)) }),
};

const instructionNames = Object.keys(readers).map((name) => name.toUpperCase());

function readFrom(source: ParsedInstruction, linter: Linter): Meaning {
  const { args, name, range, comments } = source;
  const [base = '', as = '', written = ''] = args;
  const isNamed = args.length === 3;
  if (isNamed && written !== written.toLowerCase())
    linter.run(rules.stageNameCasing, range, `Stage name '${written}' should be lowercase`);
  if (isNamed && !sameCase(name, as))
    linter.run(rules.fromAsCasing, range, `'${as}' and '${name}' keywords' casing do not match`);
  if (args.length !== 1 && !(isNamed && as.toLowerCase() === 'as'))
    throw new Error('FROM requires either one or three arguments');
  const stageName = written.toLowerCase();
  if (isNamed && !/^[a-z][a-z0-9-_.]*$/.test(stageName))
    throw new Error(
      `invalid name for build stage: ${JSON.stringify(written)}, name can't start with a number or contain symbols`,
    );
  const { platform = '' } = flagsOf(source, { platform: 'text' });
  if (isNamed) checkDescription(source, [stageName], linter);
  return { kind: 'from', base, stageName, platform, description: describe(comments, stageName) };
}

/** A keyword in mixed case is another rule's matter. */
function sameCase(from: string, as: string): boolean {
  if (from === from.toLowerCase()) return as === as.toLowerCase();
  return from !== from.toUpperCase() || as === as.toUpperCase();
}

function readArg(source: ParsedInstruction, linter: Linter): Meaning {
  const args = atLeastOne(source).map((word): Argument => {
    const equals = word.indexOf('=');
    const name = equals === -1 ? word : word.slice(0, equals);
    if (name === '') throw new Error('ARG names can not be blank');
    return {
      name,
      value: equals === -1 ? undefined : word.slice(equals + 1),
      description: describe(source.comments, name),
    };
  });
  checkDescription(
    source,
    args.map(({ name }) => name),
    linter,
  );
  return { kind: 'arg', args };
}

function readRun(source: ParsedInstruction): Meaning {
  const {
    mount: mounts = [],
    network = 'default',
    security = 'sandbox',
  } = flagsOf(source, { mount: 'texts', network: 'text', security: 'text' });
  mounts.forEach(checkMount);
  if (network !== 'default' && network !== 'none' && network !== 'host')
    throw new Error(`invalid network mode ${JSON.stringify(network)} for --network`);
  if (security !== 'sandbox' && security !== 'insecure')
    throw new Error(`security ${JSON.stringify(security)} is not valid for --security`);
  return { kind: 'run', command: commandOf(source), mounts, network, security };
}

function readExpose(source: ParsedInstruction): Meaning {
  return { kind: 'expose', ports: plain(source, [...atLeastOne(source)].sort()) };
}

function readVolume(source: ParsedInstruction): Meaning {
  const paths = plain(source, atLeastOne(source)).map((path) => path.trim());
  if (paths.includes('')) throw new Error('VOLUME specified can not be an empty string');
  return { kind: 'volume', paths };
}

function readMaintainer(source: ParsedInstruction, linter: Linter): Meaning {
  linter.run(
    rules.maintainerDeprecated,
    source.range,
    'Maintainer instruction is deprecated in favor of using label',
  );
  return { kind: 'maintainer', maintainer: plain(source, onlyArgument(source)) };
}

function readShell(source: ParsedInstruction): Meaning {
  const shell = plain(source, atLeastOne(source));
  if (!source.isJson)
    throw new Error(
      `SHELL requires the arguments to be in JSON form: write SHELL ${JSON.stringify(shell[0]?.split(/\s+/))}`,
    );
  return { kind: 'shell', shell };
}

function readOnBuild(source: ParsedInstruction): Meaning {
  const [first = ''] = plain(source, atLeastOne(source));
  const instruction = first.trim().toUpperCase();
  if (instruction === 'ONBUILD')
    throw new Error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (instruction === 'MAINTAINER' || instruction === 'FROM')
    throw new Error(`${instruction} isn't allowed as an ONBUILD trigger`);
  const heredocs = source.heredocs.map(({ name, content }) => `\n${content}${name}`);
  return {
    kind: 'onbuild',
    trigger: source.text.replace(/^\s*ONBUILD\s*/i, '') + heredocs.join(''),
  };
}

function plainCommand(source: ParsedInstruction): Command {
  return plain(source, commandOf(source));
}

function commandOf({ args, isJson, heredocs }: ParsedInstruction): Command {
  return { args, isForShell: !isJson, heredocs };
}

function pairsOf(source: ParsedInstruction) {
  const instruction = source.keyword.toUpperCase();
  const { pairs = [] } = plain(source, source);
  if (pairs.length === 0) throw new Error(`${instruction} requires at least one argument`);
  if (pairs.some(({ name }) => name === ''))
    throw new Error(`${instruction} names can not be blank`);
  return pairs;
}

/** The value, for an instruction that takes no flags. */
function plain<Value>({ flags }: ParsedInstruction, value: Value): Value {
  readFlags(flags, {});
  return value;
}

function flagsOf<Spec extends Record<string, FlagKind>>(
  source: ParsedInstruction,
  spec: Spec,
): Flags<Spec> {
  return readFlags(source.flags, spec);
}

function onlyArgument({ args, keyword }: ParsedInstruction): string {
  if (args.length !== 1) throw new Error(`${keyword.toUpperCase()} requires exactly one argument`);
  return args[0]!;
}

function atLeastOne({ args, keyword }: ParsedInstruction): string[] {
  if (args.length === 0) throw new Error(`${keyword.toUpperCase()} requires at least one argument`);
  return args;
}

/** What a comment says about a stage or an argument: `# name description`. */
function describe(comments: readonly string[], name: string): string {
  if (name === '') return '';
  return comments.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? '';
}

function checkDescription(
  { comments, keyword, range }: ParsedInstruction,
  names: readonly string[],
  linter: Linter,
): void {
  const last = comments.at(-1);
  if (last === undefined || names.length === 0) return;
  if (names.includes(last.split(' ', 1)[0]!)) return;
  const example = names.length > 1 ? '<arg_key>' : names[0];
  linter.run(
    rules.invalidDefinitionDescription,
    range,
    `Comment for ${keyword.toUpperCase()} should follow the format: \`# ${example} <description>\``,
  );
}
