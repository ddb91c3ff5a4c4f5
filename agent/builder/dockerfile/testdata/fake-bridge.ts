/** A client and a solver in memory: local directories with files, images with configurations, and what was asked. */
import { createHash } from 'node:crypto';
import { fromBinary } from '@bufbuild/protobuf';
import { notFound } from '../../../errors.ts';
import type { FrontEndBridge, FrontEndInput, FrontEndResult } from '../../front-end.ts';
import { type Definition, type Op, OpSchema, type Platform } from '../../llb/ops.ts';
import type { ResolveImageRequest } from '../../solver/solver.ts';
import { dockerfileFrontEnd } from '../front-end.ts';
import type { ImageDocument } from '../image-document.ts';
import { normalized } from '../platforms.ts';

export interface Given {
  dockerfile: string;
  options?: Record<string, string>;
  /** Files by the identifier of their source (`local://context`) and path. */
  files?: Record<string, Record<string, string>>;
  /** Configurations by full reference (`docker.io/library/alpine:latest`). */
  images?: Record<string, Partial<ImageDocument>>;
  inputs?: Map<string, Definition>;
}

export interface Built {
  result: FrontEndResult;
  warnings: Parameters<FrontEndBridge['warn']>[0][];
  resolved: ResolveImageRequest[];
}

export const linux = (Architecture: string, Variant = ''): Platform =>
  normalized({ OS: 'linux', Architecture, Variant, OSVersion: '' });

export async function build(given: Given): Promise<Built> {
  const { input, warnings, resolved } = inputOf(given);
  return { result: await dockerfileFrontEnd(input), warnings, resolved };
}

export function inputOf({ dockerfile, options = {}, files = {}, images = {}, inputs }: Given) {
  const filename = options.filename ?? 'Dockerfile';
  const all: Record<string, Record<string, string>> = {
    'local://dockerfile': { [filename]: dockerfile },
    ...files,
  };
  const warnings: Built['warnings'] = [];
  const resolved: ResolveImageRequest[] = [];
  const bridge: FrontEndBridge = {
    sessionId: 'session-1',
    platforms: [linux('amd64')],
    load(definition) {
      const { identifier } = graphOf(definition).source();
      const here = {
        ...(identifier === 'local://dockerfile' ? all[identifier] : {}),
        ...all[identifier],
      };
      return {
        async readFile(path, maxBytes) {
          const text = here[path];
          if (text === undefined) throw notFound(`open ${path}: no such file or directory`);
          return Buffer.from(text).subarray(0, maxBytes);
        },
        exists: async (path) => here[path] !== undefined,
      };
    },
    async resolveImage(request) {
      resolved.push(request);
      const image = images[request.reference] ?? alpine[request.reference];
      if (image === undefined) throw notFound(`${request.reference}: not found`);
      const config = Buffer.from(JSON.stringify(image));
      const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
      return { digest, config, reference: `${request.reference}@${digest}` };
    },
    warn: (warning) => warnings.push(warning),
  };
  const input: FrontEndInput = { options, inputs: inputs ?? new Map(), bridge };
  return { input, warnings, resolved };
}

const alpine: Record<string, Partial<ImageDocument>> = {
  'docker.io/library/alpine:latest': {
    architecture: 'amd64',
    os: 'linux',
    created: '2024-01-01T00:00:00Z',
    config: { Env: ['PATH=/bin', 'HOME=/root'], Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: ['sha256:1'] },
    history: [{ created_by: 'ADD rootfs.tar /' }],
  },
};

/** A definition as a test asks about it. */
export interface Graph {
  /** All operations but the last message, with their names. */
  steps: { digest: string; name: string; op: Op; inputs: string[] }[];
  names: string[];
  /** The only step whose name has the text. */
  step(text: string): Graph['steps'][number];
  /** The only source. */
  source(): { identifier: string; attrs: Record<string, string> };
  /** What the graph is about. */
  head: Graph['steps'][number];
}

export function graphOf(definition: Definition): Graph {
  const { def, metadata } = definition;
  const last = fromBinary(OpSchema, def.at(-1)!);
  const steps = def.slice(0, -1).map((bytes) => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const op = fromBinary(OpSchema, bytes);
    const name = metadata[digest]?.description['llb.customname'] ?? '';
    return { digest, name, op, inputs: op.inputs.map((input) => input.digest) };
  });
  const only = (found: Graph['steps'], what: string) => {
    if (found.length !== 1)
      throw new Error(`${found.length} steps are ${what}: ${steps.map(({ name }) => name)}`);
    return found[0]!;
  };
  return {
    steps,
    names: steps.map(({ name }) => name),
    step: (text) =>
      only(
        steps.filter(({ name }) => name.includes(text)),
        text,
      ),
    source() {
      const { op } = only(
        steps.filter(({ op }) => op.op.case === 'source'),
        'sources',
      ).op;
      if (op.case !== 'source') throw new Error('no source');
      return op.value;
    },
    head: only(
      steps.filter(({ digest }) => digest === last.inputs[0]?.digest),
      'heads',
    ),
  };
}

/** The only result. */
export function only({ results }: FrontEndResult) {
  const [result, ...others] = results.values();
  if (result === undefined || others.length > 0) throw new Error(`${results.size} results`);
  return {
    ...result,
    graph: graphOf(result.definition!),
    image: JSON.parse(Buffer.from(result.config).toString()) as ImageDocument,
  };
}
