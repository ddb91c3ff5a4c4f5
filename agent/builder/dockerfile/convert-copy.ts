/** COPY and ADD: one file operation with a copy for each source. */
import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { create } from '@bufbuild/protobuf';
import type { Add, Copy, InlineFile, InstructionOf } from '../../dockerfile/instruction.ts';
import { rules } from '../../dockerfile/lint-rules.ts';
import { isDigest } from '../../images/reference.ts';
import { type FileStep, fileVertex, mergedEdge, plainCopy } from '../llb/files.ts';
import { type Edge, outputOf } from '../llb/graph.ts';
import { ProgressGroupSchema } from '../llb/ops.ts';
import { httpSource } from '../llb/sources.ts';
import { cleanPath } from '../patterns.ts';
import {
  type Conversion,
  currentStepName,
  detailsOf,
  expandWord,
  record,
  shownText,
  stepName,
} from './conversion.ts';
import { type GitReference, gitEdge, parseGitReference } from './git-reference.ts';
import type { StageNode, StageStep } from './stage-node.ts';

type Transfer = InstructionOf<'copy'> | InstructionOf<'add'>;

/** What every source of one instruction is copied with. */
interface Copying {
  node: StageNode;
  instruction: Transfer;
  conversion: Conversion;
  /** Of the step, which downloads share. */
  name: string;
  /** Absolute, with a slash or `/.` at the end where it was written so. */
  to: string;
  owner: string;
  mode: number | string | undefined;
}

export function convertCopy(node: StageNode, step: StageStep, conversion: Conversion): void {
  const instruction = expanded(step.instruction as Transfer, node, conversion);
  const tree = treeOf(step, node, conversion);
  const { source, destination, chown, chmod, paths, files } = instruction;
  const copying: Copying = {
    node,
    instruction,
    conversion,
    name: '',
    to: destinationOf(node, destination),
    owner: chown,
    mode: modeOf(chmod),
  };
  checkChecksum(instruction);
  const shown = shownText(source.text, node.state.env, conversion.words);
  copying.name = stepName(node, shown, conversion);
  const steps = [
    ...paths.map((path) => sourceStep(path, tree, copying)),
    ...files.map((file) => inlineStep(file, copying)),
  ];
  const details = detailsOf(copying.name, { source, node, conversion });
  // A mode would have to be applied to what is below, which a merge does not know.
  node.state.tree =
    instruction.isLinked && chmod === ''
      ? linked(steps, shown, copying)
      : outputOf(fileVertex(node.state.tree, steps, details));
  record(node, `${historyText(instruction)} # buildkit`, {
    hasLayer: true,
    epoch: conversion.epoch,
  });
  keepPaths(step, instruction, node);
}

function expanded(instruction: Transfer, node: StageNode, conversion: Conversion): Transfer {
  const { source } = instruction;
  const word = (text: string) => expandWord(text, node, source, conversion);
  const content = ({ content: text, expands, ...file }: InlineFile): InlineFile => ({
    ...file,
    expands,
    content: expands ? expandWord(text, node, source, conversion, { skipQuotes: true }) : text,
  });
  const shared = {
    chown: word(instruction.chown),
    chmod: word(instruction.chmod),
    paths: instruction.paths.map(word),
    destination: word(instruction.destination),
    files: instruction.files.map(content),
  };
  return instruction.kind === 'copy'
    ? { ...instruction, ...shared }
    : { ...instruction, ...shared, checksum: word(instruction.checksum) };
}

function treeOf(
  { sources }: StageStep,
  node: StageNode,
  { context }: Conversion,
): Edge | undefined {
  const [from] = sources;
  if (from === undefined) return context;
  if (!from.isConverted)
    throw new Error(
      `cannot copy from stage ${JSON.stringify(from.name)}, it needs to be defined before current stage ${JSON.stringify(node.name)}`,
    );
  return from.state.tree;
}

/** Whether it is a directory is told by how it ends. */
function destinationOf({ state }: StageNode, destination: string): string {
  const written = destination === '.' || destination === '' ? './' : destination;
  const path = cleanPath(posix.isAbsolute(written) ? written : `${state.directory}/${written}`);
  if (written.endsWith('/') && !path.endsWith('/')) return `${path}/`;
  if (written.endsWith('/.')) return path === '/' ? '/.' : `${path}/.`;
  return path;
}

/** Octal, or the symbolic modes of chmod(1). */
function modeOf(chmod: string): number | string | undefined {
  if (chmod === '') return undefined;
  if (/^[0-7]+$/.test(chmod) && Number.parseInt(chmod, 8) <= 0o7777)
    return Number.parseInt(chmod, 8);
  if (symbolicModes.test(chmod)) return chmod;
  throw new Error(
    `invalid chmod parameter: '${chmod}'. it should be octal string and between 0 and 07777`,
  );
}

const symbolicModes = /^[ugoa]*([-+=]([rwxXst]*|[ugo]))+(,[ugoa]*([-+=]([rwxXst]*|[ugo]))+)*$/;

function checkChecksum(instruction: Add | Copy): void {
  if (instruction.kind === 'copy' || instruction.checksum === '') return;
  const [path, ...others] = instruction.paths;
  if (path === undefined || others.length > 0)
    throw new Error("checksum can't be specified for multiple sources");
  if (!isAddress(path) && gitReferenceIn(path) === undefined)
    throw new Error('checksum requires HTTP(S) or Git sources');
}

function sourceStep(path: string, tree: Edge | undefined, copying: Copying): FileStep {
  const { instruction } = copying;
  const git = gitReferenceIn(path);
  if (git !== undefined) return gitStep(git, copying);
  if (isAddress(path)) return downloadStep(path, copying);
  reportIgnored(path, copying);
  const unpacks = instruction.kind === 'add' ? (instruction.unpacks ?? true) : false;
  const common = {
    ...sharedStep(copying),
    source: tree,
    followsLinks: true,
    copiesContents: true,
    unpacks,
    allowsWildcards: true,
  };
  if (instruction.kind === 'copy' && instruction.withParents)
    return { ...common, ...parentsOf(path) };
  return { ...common, from: cleanPath(`/${path}`) };
}

function sharedStep({ instruction, to, owner, mode }: Copying) {
  return { ...plainCopy, to, owner, mode, exclude: instruction.exclude, makesParents: true };
}

/** `--parents`: the path's directories are made too, those behind `/./` where there is such a part. */
function parentsOf(path: string): { from: string; include: string[]; requiredPaths: string[] } {
  const pivot = path.indexOf('/./');
  const from = pivot === -1 ? '/' : path.slice(0, pivot);
  const written = pivot === -1 ? path : path.slice(pivot + 3);
  const pattern = posix.isAbsolute(written) ? written : cleanPath(`/${written}`);
  const isExact = !hasWildcards(from) && !hasWildcards(pattern);
  return {
    from: cleanPath(`/${from}`),
    include: [pattern.replace(/^\//, '')],
    requiredPaths: isExact ? [cleanPath(`/${from}/${pattern}`)] : [],
  };
}

const hasWildcards = (path: string): boolean => /[*?[]/.test(path.replace(/\\./g, ''));

const isAddress = (path: string): boolean => /^https?:\/\//.test(path);

/** Undefined for what could be a path. */
function gitReferenceIn(path: string): GitReference | undefined {
  const git = parseGitReference(path);
  return git?.looksLocal === true ? undefined : git;
}

function gitStep(git: GitReference, copying: Copying): FileStep {
  const { instruction, name } = copying;
  if (instruction.kind === 'copy') throw new Error("source can't be a git ref for COPY");
  const { keepsGitDirectory, checksum } = instruction;
  if (
    keepsGitDirectory !== undefined &&
    git.keepsGitDirectory !== undefined &&
    keepsGitDirectory !== git.keepsGitDirectory
  )
    throw new Error('inconsistent keep-git-dir configuration');
  if (checksum !== '' && git.checksum !== '' && checksum !== git.checksum)
    throw new Error(
      `checksum mismatch ${JSON.stringify(checksum)} != ${JSON.stringify(git.checksum)}`,
    );
  const tree = gitEdge(
    {
      ...git,
      keepsGitDirectory: git.keepsGitDirectory ?? keepsGitDirectory,
      checksum: git.checksum || checksum,
    },
    { name },
  );
  return { ...sharedStep(copying), source: tree, from: '/' };
}

/** Downloads are not unpacked unless that is asked for. */
function downloadStep(address: string, copying: Copying): FileStep {
  const { instruction, name } = copying;
  if (instruction.kind === 'copy') throw new Error("source can't be a URL for COPY");
  const { checksum, unpacks = false } = instruction;
  if (checksum !== '' && !isDigest(checksum))
    throw new Error(`invalid checksum ${checksum}: write it as sha256: and 64 digits`);
  const filename = filenameOf(address);
  const vertex = httpSource(address, { filename, checksum, details: { name } });
  return {
    ...sharedStep(copying),
    source: outputOf(vertex),
    from: cleanPath(`/${filename}`),
    unpacks,
  };
}

function filenameOf(address: string): string {
  const path = URL.canParse(address) ? decodeURIComponent(new URL(address).pathname) : '';
  return posix.basename(path) || '__unnamed__';
}

function inlineStep({ name, content }: InlineFile, copying: Copying): FileStep {
  const file = { kind: 'mkfile', path: cleanPath(`/${name}`), mode: 0o644 } as const;
  const tree = outputOf(
    fileVertex(undefined, [{ ...file, data: Buffer.from(content) }], {
      name: '[internal] preparing inline document',
    }),
  );
  return { ...sharedStep(copying), source: tree, from: file.path };
}

/** `--link`: the files are a tree of their own, laid over the stage's, so that a changed base leaves them cached. */
function linked(
  steps: readonly FileStep[],
  shown: string,
  { node, conversion, name, instruction }: Copying,
): Edge | undefined {
  const { source } = instruction;
  const group = (weak: boolean) => create(ProgressGroupSchema, { id: groupId, name, weak });
  const groupId = randomUUID();
  const copied = fileVertex(undefined, steps, {
    ...detailsOf(name, { source, node, conversion }),
    progressGroup: group(true),
  });
  return mergedEdge([node.state.tree, outputOf(copied)], {
    ...detailsOf(currentStepName(node, `LINK ${shown}`, conversion), { source, node, conversion }),
    progressGroup: group(false),
  });
}

function historyText(instruction: Add | Copy): string {
  const { kind, chown, chmod, paths, files, destination } = instruction;
  return [
    kind.toUpperCase(),
    ...(kind === 'copy' && instruction.withParents ? ['--parents'] : []),
    ...(chown === '' ? [] : [`--chown=${chown}`]),
    ...(chmod === '' ? [] : [`--chmod=${chmod}`]),
    ...paths,
    ...files.map(({ name }) => `<<${name}`),
    destination,
  ].join(' ');
}

/** Which paths are needed of the context, or of the stage that is copied from. */
function keepPaths({ sources }: StageStep, { paths }: Add | Copy, node: StageNode): void {
  const [from] = sources;
  const kept = from === undefined ? node.contextPaths : from.paths;
  for (const path of paths)
    if (!isAddress(path) && gitReferenceIn(path) === undefined) kept.add(posix.join('/', path));
}

/** Where patterns take paths back (`!`), what is ignored cannot be told beforehand. */
function reportIgnored(path: string, { instruction, conversion }: Copying): void {
  const { ignored, linter } = conversion;
  const isFromContext = instruction.kind === 'add' || instruction.from === '';
  if (ignored === undefined || ignored.hasExclusions || !isFromContext) return;
  const cleaned = cleanPath(path);
  const isRoot = cleaned === '.' || cleaned === '/';
  const ignoresRoot = ignored.patterns.some(({ text }) => ['*', '**', '**/*'].includes(text));
  if ((isRoot && !ignoresRoot) || !ignored.matches(cleaned)) return;
  const verb = instruction.kind === 'add' ? 'Add' : 'Copy';
  linter
    .withComments(instruction.source.comments)
    .run(
      rules.copyIgnoredFile,
      instruction.source.range,
      `Attempting to ${verb} file ${JSON.stringify(cleaned)} that is excluded by .dockerignore`,
    );
}
