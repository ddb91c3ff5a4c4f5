/** Instructions that change the image's configuration and no file. */
import { posix } from 'node:path';
import type { InstructionOf, Meaning } from '../../dockerfile/instruction.ts';
import { rules } from '../../dockerfile/lint-rules.ts';
import type { ParsedInstruction } from '../../dockerfile/parser.ts';
import { expand } from '../../dockerfile/words.ts';
import { parseSignal } from '../../kernel/signals.ts';
import { fileVertex } from '../llb/files.ts';
import { outputOf } from '../llb/graph.ts';
import { cleanPath } from '../patterns.ts';
import {
  type Conversion,
  detailsOf,
  expandWord,
  notVariables,
  record,
  reportUndefined,
  shownText,
  stepName,
} from './conversion.ts';
import { exposedPorts } from './exposed-ports.ts';
import { durationText, plainList, quotedList } from './go-text.ts';
import { setVariable } from './image-document.ts';
import type { StageNode } from './stage-node.ts';

type Convert<Kind extends Meaning['kind']> = (
  node: StageNode,
  instruction: InstructionOf<Kind>,
  conversion: Conversion,
) => void;

export const convertEnv: Convert<'env'> = (node, { pairs, source }, conversion) => {
  const linter = conversion.linter.withComments(source.comments);
  let text = 'ENV';
  const expanded = expandPairs(pairs, node, source, conversion);
  for (const { name, value } of expanded) {
    if (isSecret(name))
      linter.run(rules.secretsUsedInArgOrEnv, source.range, secretMessage('ENV', name));
    text += ` ${name}=${value}`;
    setState(node, name, value);
    setVariable(node.image.config, name, value);
  }
  recordEmpty(node, text, conversion);
};

export const convertLabel: Convert<'label'> = (node, { pairs, source }, conversion) => {
  let text = 'LABEL';
  const labels: Record<string, string> = { ...node.image.config.Labels };
  for (const { name, value } of expandPairs(pairs, node, source, conversion)) {
    labels[name] = value;
    text += ` ${name}=${value}`;
  }
  node.image.config.Labels = labels;
  recordEmpty(node, text, conversion);
};

/** All are expanded before the first one is set. */
function expandPairs(
  pairs: InstructionOf<'env'>['pairs'],
  node: StageNode,
  source: ParsedInstruction,
  conversion: Conversion,
): { name: string; value: string }[] {
  const linter = conversion.linter.withComments(source.comments);
  return pairs.map(({ name, value, isLegacy }) => {
    if (isLegacy)
      linter.run(
        rules.legacyKeyValueFormat,
        source.range,
        `"${source.name} key=value" should be used instead of legacy "${source.name} key value" format`,
      );
    return {
      name: expandWord(name, node, source, conversion),
      value: expandWord(value, node, source, conversion),
    };
  });
}

/** A variable that is set again goes to the end. */
export function setState(node: StageNode, name: string, value: string): void {
  node.state.env.delete(name);
  node.state.env.set(name, value);
}

export const convertArg: Convert<'arg'> = (node, { args, source }, conversion) => {
  const linter = conversion.linter.withComments(source.comments);
  const texts: string[] = [];
  for (const arg of args) {
    const { name } = arg;
    if (isSecret(name))
      linter.run(rules.secretsUsedInArgOrEnv, source.range, secretMessage('ARG', name));
    const value = argumentValue(arg, node, source, conversion);
    if (value !== undefined && !notVariables.includes(name)) setState(node, name, value);
    node.buildArgs.push({ name, value });
    texts.push(value === undefined ? name : `${name}=${value}`);
  }
  recordEmpty(node, `ARG ${texts.join(' ')}`, conversion);
};

/** The client's value, the default, or that of a global argument of the name. */
function argumentValue(
  { name, value }: InstructionOf<'arg'>['args'][number],
  node: StageNode,
  source: ParsedInstruction,
  conversion: Conversion,
): string | undefined {
  const given = conversion.options.buildArgs.get(name);
  if (given !== undefined) return given;
  if (value === undefined) return conversion.globalArgs.get(name);
  const { text, unmatched } = expand(value, node.state.env, conversion.words);
  reportUndefined(unmatched, node, source, conversion);
  return text;
}

const secretWords =
  /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const harmlessWords = /(?:_|^)(?:public|file|version)(?:_|$)/i;

const isSecret = (name: string): boolean => secretWords.test(name) && !harmlessWords.test(name);

const secretMessage = (instruction: string, name: string): string =>
  `Do not use ARG or ENV instructions for sensitive data (${instruction} ${JSON.stringify(name)})`;

export const convertCmd: Convert<'cmd'> = (node, { command, source }, conversion) => {
  giveOnce('cmd', node, source, conversion);
  const args = commandArgs(command, node, source, conversion);
  node.image.config.Cmd = args;
  node.image.config.ArgsEscaped = true;
  recordEmpty(node, `CMD ${quotedList(args)}`, conversion);
};

export const convertEntrypoint: Convert<'entrypoint'> = (node, { command, source }, conversion) => {
  giveOnce('entrypoint', node, source, conversion);
  const args = commandArgs(command, node, source, conversion);
  node.image.config.Entrypoint = args;
  // The base's command belonged to its entrypoint.
  if (!node.given.has('cmd')) delete node.image.config.Cmd;
  recordEmpty(node, `ENTRYPOINT ${quotedList(args)}`, conversion);
};

function commandArgs(
  { args, isForShell }: InstructionOf<'cmd'>['command'],
  node: StageNode,
  source: ParsedInstruction,
  { linter }: Conversion,
): string[] {
  if (!isForShell) return args;
  if ((node.image.config.Shell ?? []).length === 0)
    linter
      .withComments(source.comments)
      .run(
        rules.jsonArgsRecommended,
        source.range,
        `JSON arguments recommended for ${source.name} to prevent unintended behavior related to OS signals`,
      );
  return withShell(node, args);
}

/** One line for the image's shell. */
export function withShell({ image }: StageNode, args: readonly string[]): string[] {
  const { Shell = [] } = image.config;
  return [...(Shell.length > 0 ? Shell : ['/bin/sh', '-c']), args.join(' ')];
}

/** Of several in a stage only the last one counts. */
function giveOnce(
  kind: 'cmd' | 'entrypoint' | 'healthcheck',
  node: StageNode,
  source: ParsedInstruction,
  { linter }: Conversion,
): void {
  const earlier = node.given.get(kind);
  if (earlier !== undefined)
    linter
      .withComments(source.comments)
      .run(
        rules.multipleInstructionsDisallowed,
        earlier,
        `Multiple ${source.name} instructions should not be used in the same stage because only the last one will be used`,
      );
  node.given.set(kind, source.range);
}

export const convertHealthCheck: Convert<'healthcheck'> = (node, { check, source }, conversion) => {
  giveOnce('healthcheck', node, source, conversion);
  node.image.config.Healthcheck = check;
  const times = (['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const).map(
    (name) => `${name}:${durationText(check[name] ?? 0)}`,
  );
  recordEmpty(
    node,
    `HEALTHCHECK {Test:${plainList(check.Test ?? [])} ${times.join(' ')} Retries:${check.Retries ?? 0}}`,
    conversion,
  );
};

export const convertExpose: Convert<'expose'> = (node, { ports, source }, conversion) => {
  const { env } = node.state;
  const words = ports.flatMap((port) => expand(port, env, conversion.words).words);
  const linter = conversion.linter.withComments(source.comments);
  const exposed = words.flatMap((word) => exposedPorts(word, source, linter));
  node.image.config.ExposedPorts = { ...node.image.config.ExposedPorts, ...keyed(exposed) };
  recordEmpty(node, `EXPOSE ${plainList(exposed)}`, conversion);
};

export const convertVolume: Convert<'volume'> = (node, { paths, source }, conversion) => {
  const expanded = paths.map((path) => expandWord(path, node, source, conversion));
  if (expanded.includes('')) throw new Error('VOLUME specified can not be an empty string');
  node.image.config.Volumes = { ...node.image.config.Volumes, ...keyed(expanded) };
  recordEmpty(node, `VOLUME ${plainList(expanded)}`, conversion);
};

const keyed = (names: readonly string[]): Record<string, Record<string, never>> =>
  Object.fromEntries(names.map((name) => [name, {}]));

export const convertUser: Convert<'user'> = (node, { user, source }, conversion) => {
  const expanded = expandWord(user, node, source, conversion);
  node.state.user = expanded;
  node.image.config.User = expanded;
  recordEmpty(node, `USER ${expanded}`, conversion);
};

export const convertStopSignal: Convert<'stopsignal'> = (node, { signal, source }, conversion) => {
  const expanded = expandWord(signal, node, source, conversion);
  parseSignal(expanded);
  node.image.config.StopSignal = expanded;
  recordEmpty(node, `STOPSIGNAL ${expanded}`, conversion);
};

export const convertShell: Convert<'shell'> = (node, { shell }, conversion) => {
  node.image.config.Shell = shell;
  recordEmpty(node, `SHELL ${plainList(shell)}`, conversion);
};

export const convertMaintainer: Convert<'maintainer'> = (node, { maintainer }, conversion) => {
  node.image.author = maintainer;
  recordEmpty(node, `MAINTAINER ${maintainer}`, conversion);
};

export const convertOnBuild: Convert<'onbuild'> = ({ image }, { trigger }) => {
  image.config.OnBuild = [...(image.config.OnBuild ?? []), trigger];
};

export const convertWorkdir: Convert<'workdir'> = (node, { path, source }, conversion) => {
  const expanded = expandWord(path, node, source, conversion);
  if (!node.isWorkdirSet && !posix.isAbsolute(expanded))
    conversion.linter
      .withComments(source.comments)
      .run(
        rules.workdirRelativePath,
        source.range,
        `Relative workdir ${JSON.stringify(expanded)} can have unexpected results if the base image changes`,
      );
  node.isWorkdirSet = true;
  const directory = setDirectory(node, expanded);
  const { epoch } = conversion;
  if (directory === '/') {
    record(node, `WORKDIR ${directory}`, { hasLayer: false, epoch });
    return;
  }
  const shown = shownText(source.text, node.state.env, conversion.words);
  const name = stepName(node, shown, conversion);
  const { User = '' } = node.image.config;
  const step = {
    kind: 'mkdir',
    path: cleanPath(directory),
    mode: 0o755,
    owner: User,
    ...(epoch !== undefined && { createdAt: epoch }),
  } as const;
  const details = { ...detailsOf(name, { source, node, conversion }), ignoresCache: false };
  node.state.tree = outputOf(fileVertex(node.state.tree, [step], details));
  record(node, `WORKDIR ${directory}`, { hasLayer: true, epoch });
};

/** A relative path counts from the directory so far; an absolute one stays as it is written. */
export function setDirectory(node: StageNode, path: string): string {
  const current = posix.join('/', node.image.config.WorkingDir ?? '');
  const directory =
    path === '' ? current : posix.isAbsolute(path) ? path : cleanPath(`${current}/${path}`);
  node.image.config.WorkingDir = directory;
  node.state.directory = directory;
  return directory;
}

function recordEmpty(node: StageNode, text: string, { epoch }: Conversion): void {
  record(node, text, { hasLayer: false, epoch });
}
