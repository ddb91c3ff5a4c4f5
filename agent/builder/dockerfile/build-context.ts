/** The build's main context, the Dockerfile and the ignore file: from the client's directories, git or an address. */

import { posix } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { type CortenError, notFound } from '../../errors.ts';
import type { FrontEndInput } from '../front-end.ts';
import { fileVertex, plainCopy } from '../llb/files.ts';
import { definitionOf, type Edge, edgeOfDefinition, outputOf } from '../llb/graph.ts';
import { type SourceInfo, SourceInfoSchema } from '../llb/ops.ts';
import { httpSource, localSource } from '../llb/sources.ts';
import { readIgnoreFile } from '../patterns.ts';
import { gitEdge, parseGitReference } from './git-reference.ts';
import { firstFile, readTextFile, type TextFile } from './local-files.ts';
import { type BuildOptions, booleanOf } from './options.ts';

export interface BuildContext {
  dockerfile: TextFile;
  /** Of the Dockerfile, for places in it. */
  info: SourceInfo;
  /** What .dockerignore, or the Dockerfile's own ignore file, leaves out of the client's directory. */
  ignored(): Promise<string[]>;
  /** The whole context's tree; `paths` tells what of it is needed, and nothing means all of it. */
  tree(paths: () => string[], ignored: readonly string[]): Edge | undefined;
}

/** Throws not-found when there is no Dockerfile. */
export async function openBuildContext(
  input: FrontEndInput,
  options: BuildOptions,
): Promise<BuildContext> {
  const remote = await remoteContext(input, options);
  const source = remote?.dockerfile ?? (await clientDockerfile(input, options));
  const info = create(SourceInfoSchema, {
    filename: source.file.path,
    data: source.file.data,
    definition: source.file.definition,
    language: 'Dockerfile',
  });
  if (remote?.tree !== undefined) {
    const { tree } = remote;
    return { dockerfile: source.file, info, ignored: async () => [], tree: () => tree };
  }
  return { dockerfile: source.file, info, ...clientContext(input, options, source.ignoreText) };
}

interface DockerfileSource {
  file: TextFile;
  /** Of `Dockerfile.dockerignore` beside it. */
  ignoreText: string | undefined;
}

interface RemoteContext {
  /** Undefined: the client's directory. */
  tree: Edge | undefined;
  dockerfile: DockerfileSource | undefined;
}

/** Undefined when all is in the client's directories. */
async function remoteContext(
  input: FrontEndInput,
  options: BuildOptions,
): Promise<RemoteContext | undefined> {
  const { raw } = options;
  const address = raw[raw.contextkey ?? 'context'] ?? '';
  const git = parseGitReference(address);
  if (git !== undefined) {
    const keepsGitDirectory =
      booleanOf(raw['build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR'] ?? '') ?? git.keepsGitDirectory;
    const mtime = raw['build-arg:SOURCE_DATE_EPOCH'] ? 'commit' : git.mtime;
    const details = { name: `[internal] load git source ${address}` };
    const tree = gitEdge({ ...git, keepsGitDirectory, mtime }, details);
    return withDockerfile(input, options, tree);
  }
  if (/^https?:\/\//.test(address)) return downloadedContext(input, options, address);
  const given = input.inputs.get('context');
  const dockerfile = input.inputs.get(raw.dockerfilekey ?? 'dockerfile');
  if (given === undefined && dockerfile === undefined) return undefined;
  return {
    tree: given === undefined ? undefined : within(edgeOfDefinition(given), options),
    dockerfile:
      dockerfile === undefined || raw.dockerfilekey !== undefined
        ? undefined
        : await dockerfileIn(input, edgeOfDefinition(dockerfile), options.filename),
  };
}

/** The file names of downloads, since addresses need have none. */
const downloadName = 'context';

/** An archive is a context; anything else is a Dockerfile that needs none. */
async function downloadedContext(
  input: FrontEndInput,
  options: BuildOptions,
  address: string,
): Promise<RemoteContext> {
  const details = { name: '[internal] load remote build context' };
  const download = outputOf(httpSource(address, { filename: downloadName, checksum: '', details }));
  const head = await input.bridge.load(definitionOf(download)!).readFile(downloadName, headBytes);
  if (!isArchive(head))
    return {
      tree: download,
      dockerfile: await dockerfileIn(input, download, downloadName),
    };
  const unpacked = outputOf(
    fileVertex(
      undefined,
      [{ ...plainCopy, source: download, from: `/${downloadName}`, to: '/', unpacks: true }],
      { name: '[internal] unpack remote build context' },
    ),
  );
  return withDockerfile(input, options, unpacked);
}

const headBytes = 1024;

/** bzip2, gzip, xz, zstd, or a tar archive's first header (pax(1), ustar). */
function isArchive(head: Buffer): boolean {
  const starts = ['425a68', '1f8b08', 'fd377a585a00', '28b52ffd'];
  if (starts.some((start) => head.subarray(0, start.length / 2).toString('hex') === start))
    return true;
  return head.length >= 512 && head.subarray(257, 262).toString('latin1') === 'ustar';
}

async function withDockerfile(
  input: FrontEndInput,
  options: BuildOptions,
  tree: Edge | undefined,
): Promise<RemoteContext> {
  return {
    tree: within(tree, options),
    // A client may send a Dockerfile of its own beside a remote context.
    dockerfile:
      options.raw.dockerfilekey === undefined
        ? await dockerfileIn(input, tree, options.filename)
        : undefined,
  };
}

function within(tree: Edge | undefined, { raw }: BuildOptions): Edge | undefined {
  const { contextsubdir } = raw;
  if (contextsubdir === undefined) return tree;
  const from = posix.join('/', contextsubdir);
  const step = { ...plainCopy, source: tree, from, to: '/', copiesContents: true };
  return outputOf(fileVertex(undefined, [step], {}));
}

async function dockerfileIn(
  { bridge }: FrontEndInput,
  tree: Edge | undefined,
  filename: string,
): Promise<DockerfileSource> {
  const definition = definitionOf(tree);
  if (definition === undefined) throw noDockerfile(filename);
  const ref = bridge.load(definition);
  const file = await firstFile(ref, dockerfileNames(filename), definition);
  if (file === undefined) throw noDockerfile(filename);
  return { file, ignoreText: undefined };
}

async function clientDockerfile(
  { bridge }: FrontEndInput,
  { raw, filename, localSessions }: BuildOptions,
): Promise<DockerfileSource> {
  const local = raw.dockerfilekey ?? 'dockerfile';
  const names = dockerfileNames(filename);
  const ignoreName = `${filename}.dockerignore`;
  const source = localSource(local, {
    sessionId: localSessions[local] ?? bridge.sessionId,
    sharedKeyHint: local,
    followPaths: () => [names[0]!, ignoreName, ...names.slice(1)],
    isSentWhole: true,
    details: { name: `[internal] load build definition from ${filename}` },
  });
  const definition = definitionOf(outputOf(source))!;
  const ref = bridge.load(definition);
  const file = await firstFile(ref, names, definition);
  if (file === undefined) throw noDockerfile(filename);
  const ignoreFile = await firstFile(ref, [ignoreName], definition);
  // Places in the file are told by the name that the client chose.
  return { file: { ...file, path: filename }, ignoreText: ignoreFile?.text };
}

/** `Dockerfile` may be written in lower case as well. */
function dockerfileNames(filename: string): string[] {
  if (posix.basename(filename) !== 'Dockerfile') return [filename];
  return [filename, posix.join(posix.dirname(filename), 'dockerfile')];
}

function noDockerfile(filename: string): CortenError {
  return notFound(
    `failed to read dockerfile: open ${filename}: no such file or directory. Name another one with --file`,
  );
}

function clientContext(
  { bridge }: FrontEndInput,
  options: BuildOptions,
  ignoreText: string | undefined,
): Pick<BuildContext, 'ignored' | 'tree'> {
  const local = 'context';
  const sessionId = options.localSessions[local] ?? bridge.sessionId;
  return {
    async ignored() {
      if (ignoreText !== undefined) return readIgnoreFile(ignoreText);
      const source = localSource(local, {
        sessionId,
        sharedKeyHint: `${local}-.dockerignore`,
        followPaths: () => ['.dockerignore'],
        isSentWhole: true,
        details: { name: '[internal] load .dockerignore' },
      });
      const file = await readTextFile(bridge, source, ['.dockerignore']);
      return readIgnoreFile(file?.text ?? '');
    },
    tree: (paths, ignored) =>
      outputOf(
        localSource(local, {
          sessionId,
          sharedKeyHint: local,
          followPaths: paths,
          excludePatterns: () => [...ignored],
          details: { name: '[internal] load build context' },
        }),
      ),
  };
}
