/** RUN: a process on the stage's tree. */
import { posix } from 'node:path';
import { heredocOf, withoutLeadingTabs } from '../../dockerfile/heredoc.ts';
import type { InstructionOf } from '../../dockerfile/instruction.ts';
import { execVertex } from '../llb/exec.ts';
import { fileVertex } from '../llb/files.ts';
import { type Edge, outputOf } from '../llb/graph.ts';
import { NetMode, SecurityMode } from '../llb/ops.ts';
import { type Conversion, detailsOf, record, shownText, stepName } from './conversion.ts';
import { withShell } from './convert-settings.ts';
import { runMounts } from './run-mounts.ts';
import type { StageNode, StageStep } from './stage-node.ts';

export function convertRun(node: StageNode, step: StageStep, conversion: Conversion): void {
  const instruction = step.instruction as InstructionOf<'run'>;
  const { source } = instruction;
  const { options, epoch } = conversion;
  const { state } = node;
  // A process can read any file.
  node.paths.add('/');
  const command = commandOf(instruction);
  const args = instruction.command.isForShell ? withShell(node, command.args) : command.args;
  const { mounts, secrets, sshSockets, masked } = runMounts(node, step, conversion);
  const shown = shownText(`${source.text.trim()}${command.summary}`, masked(state.env), {
    ...conversion.words,
    rawQuotes: true,
    keepUnset: true,
  });
  const name = stepName(node, shown, conversion);
  if (command.script !== undefined) mounts.push(scriptMount(command.script));
  if (options.shmBytes > 0) mounts.push(tmpfsMount('/dev/shm', options.shmBytes));
  state.tree = outputOf(
    execVertex({
      root: state.tree,
      args,
      env: [...state.env].map(([variable, value]) => `${variable}=${value}`),
      directory: state.directory,
      user: state.user,
      hostname: options.hostname,
      network: networkOf(instruction, options.network),
      security: instruction.security === 'insecure' ? SecurityMode.INSECURE : SecurityMode.SANDBOX,
      mounts,
      secrets,
      sshSockets,
      extraHosts: options.extraHosts,
      ulimits: options.ulimits,
      cgroupParent: options.cgroupParent,
      proxy: conversion.proxy,
      platform: node.platform ?? conversion.platform,
      details: {
        ...detailsOf(name, { source, node, conversion }),
        description: { 'com.docker.dockerfile.v1.command': source.text.trim() },
        ...(options.resources !== undefined && { resources: options.resources }),
      },
    }),
  );
  record(node, `RUN ${historyArgs(node, args)} # buildkit`, { hasLayer: true, epoch });
}

interface RunCommand {
  args: string[];
  /** What the step's name says of a heredoc. */
  summary: string;
  /** A heredoc that begins with `#!`, which is executed as a file. */
  script: { name: string; data: string } | undefined;
}

/**
 * A line that is one heredoc is the heredoc's content, so that shells without heredocs can run it. With more around
 * it the heredocs are the shell's.
 */
function commandOf({ command }: InstructionOf<'run'>): RunCommand {
  const { args, heredocs, isForShell } = command;
  const [line = ''] = args;
  const [first] = heredocs;
  if (first === undefined) return { args, summary: '', script: undefined };
  if (!isForShell || args.length !== 1) throw new Error('a heredoc needs the shell form of RUN');
  if (heredocOf(line) === undefined) {
    const parts = heredocs.map(({ name, content }) => `\n${content}${name}`);
    return { args: [line + parts.join('')], summary: '', script: undefined };
  }
  const data = first.chomps ? withoutLeadingTabs(first.content) : first.content;
  const summary = ` (${firstLine(first.content)})`;
  if (!data.startsWith('#!')) return { args: [data], summary, script: undefined };
  return {
    args: [posix.join(scriptDirectory, first.name)],
    summary,
    script: { name: first.name, data },
  };
}

function firstLine(content: string): string {
  const [first = '', ...others] = content.trim().split(/\r?\n/);
  return others.length > 0 ? `${first}...` : first;
}

const scriptDirectory = '/dev/pipes/';

function scriptMount({ name, data }: { name: string; data: string }) {
  const file = { kind: 'mkfile', path: posix.join('/', name), mode: 0o755 } as const;
  const tree: Edge = outputOf(
    fileVertex(undefined, [{ ...file, data: Buffer.from(data) }], {
      name: '[internal] preparing inline document',
    }),
  );
  return {
    target: scriptDirectory,
    source: tree,
    selector: '/',
    readOnly: true,
    kind: 'bind' as const,
    tmpfsBytes: 0,
  };
}

function tmpfsMount(target: string, tmpfsBytes: number) {
  return {
    target,
    source: undefined,
    selector: '',
    readOnly: false,
    kind: 'tmpfs' as const,
    tmpfsBytes,
  };
}

function networkOf({ network }: InstructionOf<'run'>, byDefault: NetMode): NetMode {
  if (network === 'default') return byDefault;
  return network === 'none' ? NetMode.NONE : NetMode.HOST;
}

/** `|1 A=b /bin/sh -c make`: the build arguments that the process saw, and the command. */
function historyArgs({ buildArgs, state }: StageNode, args: readonly string[]): string {
  const values = new Map(
    buildArgs.map(({ name, value = '' }) => [name, state.env.get(name) ?? value]),
  );
  const shown = [...values].map(([name, value]) => `${name}=${value}`);
  return [...(shown.length > 0 ? [`|${shown.length}`] : []), ...shown, ...args].join(' ');
}
