/** Contexts that the client gave by name (`--build-context NAME=…`), which stand for stages and images of that name. */

import { invalid } from '../../errors.ts';
import { familiarString, fullName, parseReference, parseTagged } from '../../images/reference.ts';
import type { FrontEndBridge } from '../front-end.ts';
import { type Edge, edgeOfDefinition, outputOf } from '../llb/graph.ts';
import type { Definition, Platform } from '../llb/ops.ts';
import { httpSource, imageSource, localSource } from '../llb/sources.ts';
import { readIgnoreFile } from '../patterns.ts';
import { gitEdge, parseGitReference } from './git-reference.ts';
import { type ImageDocument, parseImageDocument } from './image-document.ts';
import { readTextFile } from './local-files.ts';
import type { BuildOptions } from './options.ts';
import { platformText } from './platforms.ts';

export interface NamedContext {
  /** As the client wrote it, with the platform where the context is for one only. */
  name: string;
  load(): Promise<LoadedContext>;
}

export interface LoadedContext {
  /** Undefined: the empty tree. */
  tree: Edge | undefined;
  /** Of an image or of another build's result. */
  image: ImageDocument | undefined;
}

export interface ContextFinder {
  /** Undefined when the client gave none of that name. `paths` tells what of a local directory is needed. */
  find(name: string, platform: Platform, paths: () => string[]): NamedContext | undefined;
}

export function contextFinder(
  options: BuildOptions,
  inputs: ReadonlyMap<string, Definition>,
  bridge: FrontEndBridge,
): ContextFinder {
  const hasAny = Object.keys(options.raw).some((option) => option.startsWith('context:'));
  return {
    find(name, platform, paths) {
      if (!hasAny || ['scratch', 'context'].includes(name.toLowerCase())) return undefined;
      const plain = plainName(name);
      if (plain === undefined) return undefined;
      const withPlatform = `${plain}::${platformText(platform)}`;
      for (const key of [withPlatform, plain]) {
        const input = options.raw[`context:${key}`];
        if (input === undefined) continue;
        const request = { name: plain, key, input, platform, paths, options, inputs, bridge };
        return { name: key, load: () => load(request) };
      }
      return undefined;
    },
  };
}

/** Contexts are named as images are: `alpine:latest` is `alpine`. Undefined for what no image can be called. */
function plainName(name: string): string | undefined {
  try {
    return familiarString(parseReference(name)).replace(/:latest$/, '');
  } catch {
    return undefined;
  }
}

interface ContextRequest {
  name: string;
  key: string;
  input: string;
  platform: Platform;
  paths: () => string[];
  options: BuildOptions;
  inputs: ReadonlyMap<string, Definition>;
  bridge: FrontEndBridge;
}

async function load(request: ContextRequest): Promise<LoadedContext> {
  const { input, key } = request;
  const colon = input.indexOf(':');
  if (colon === -1)
    throw invalid(`invalid context specifier ${input} for ${key}: it needs a kind, such as local:`);
  const kind = input.slice(0, colon);
  const rest = input.slice(colon + 1);
  if (kind.startsWith('git@') || kind === 'git') return loadGit(request);
  switch (kind) {
    case 'docker-image':
      return loadImage(request, rest.replace(/^\/\//, ''));
    case 'http':
    case 'https':
      return loadAddress(request);
    case 'oci-layout':
      throw invalid(
        `oci-layout contexts are not served (${key}): load the image with docker load and name it as docker-image://NAME`,
      );
    case 'local':
      return loadLocal(request, rest);
    case 'input':
      return loadInput(request, rest);
    default:
      throw invalid(
        `unsupported context source ${kind} for ${key}: there are docker-image, local, input, git and http(s)`,
      );
  }
}

async function loadImage(request: ContextRequest, text: string): Promise<LoadedContext> {
  const { bridge, key, platform, options } = request;
  if (text === 'scratch') return { tree: undefined, image: undefined };
  const { reference, config } = await bridge.resolveImage({
    reference: fullReference(text),
    platform,
    mode: options.resolveMode,
    logName: `[context ${key}] load metadata for ${text}`,
  });
  const vertex = imageSource(reference, {
    platform,
    mode: 'default',
    details: { name: `[context ${key}] ${text}` },
  });
  return { tree: outputOf(vertex), image: parseImageDocument(config) };
}

/** With the domain and a tag. Throws invalid. */
export function fullReference(text: string): string {
  const reference = parseTagged(text);
  const { tag, digest } = reference;
  const suffix = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return fullName(reference) + suffix;
}

async function loadGit({ input, key }: ContextRequest): Promise<LoadedContext> {
  const git = parseGitReference(input);
  if (git === undefined) throw invalid(`invalid git context ${input}`);
  return {
    tree: gitEdge(git, { name: `[context ${key}] load git source ${input}` }),
    image: undefined,
  };
}

async function loadAddress(request: ContextRequest): Promise<LoadedContext> {
  const { input, key } = request;
  if (parseGitReference(input) !== undefined) return loadGit(request);
  const details = { name: `[context ${key}] ${input}` };
  const vertex = httpSource(input, { filename: 'context', checksum: '', details });
  return { tree: outputOf(vertex), image: undefined };
}

async function loadLocal(request: ContextRequest, local: string): Promise<LoadedContext> {
  const { bridge, key, options, paths } = request;
  const sessionId = options.localSessions[local] ?? bridge.sessionId;
  const ignoreFile = await readTextFile(
    bridge,
    localSource(local, {
      sessionId,
      sharedKeyHint: `context:${key}-.dockerignore`,
      followPaths: () => ['.dockerignore'],
      isSentWhole: true,
      details: { name: `[context ${key}] load .dockerignore` },
    }),
    ['.dockerignore'],
  );
  const exclude = readIgnoreFile(ignoreFile?.text ?? '');
  const sharedKey = options.raw[`sharedkey:localdir:${key}`] ?? '';
  const vertex = localSource(local, {
    sessionId,
    sharedKeyHint: `context:${key}-${sharedKey}`,
    followPaths: paths,
    excludePatterns: () => exclude,
    details: { name: `[context ${key}] load from client` },
  });
  return { tree: outputOf(vertex), image: undefined };
}

async function loadInput(request: ContextRequest, input: string): Promise<LoadedContext> {
  const { inputs, key, options } = request;
  const definition = inputs.get(input);
  if (definition === undefined) throw invalid(`invalid input ${input} for ${key}`);
  const tree = edgeOfDefinition(definition);
  const metadata = options.raw[`input-metadata:${input}`];
  if (metadata === undefined) return { tree, image: undefined };
  const config = (JSON.parse(metadata) as Record<string, string>)['containerimage.config'];
  // Byte strings in Go's JSON are base64.
  const image =
    config === undefined ? undefined : parseImageDocument(Buffer.from(config, 'base64'));
  return { tree, image };
}
