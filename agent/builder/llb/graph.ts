/**
 * Makes graphs of operations: vertices are linked while they are found and written down, with digests, in the end. A
 * vertex's digest is the sha256 of its message, in which it names its inputs by theirs.
 */
import { createHash } from 'node:crypto';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { invalid } from '../../errors.ts';
import {
  type Definition,
  DefinitionSchema,
  type Input,
  type LinuxResources,
  type Op,
  type OpMetadata,
  OpMetadataSchema,
  OpSchema,
  type Platform,
  type ProgressGroup,
  type Range,
  type SourceInfo,
  SourceSchema,
} from './ops.ts';

/** One output of a vertex. Undefined, where an edge can be left out, is the empty tree. */
export interface Edge {
  vertex: Vertex;
  output: number;
}

export interface Vertex {
  /** Called when the graph is written, so what it tells may still grow until then. */
  operation(inputs: Inputs): Operation;
  details: VertexDetails;
}

export interface Operation {
  op: NonNullable<MessageInitShape<typeof OpSchema>['op']>;
  platform?: Platform;
  /** What a solver must know to carry it out (solver/pb/caps.go). */
  capabilities: string[];
}

/** What is no part of the digest. */
export interface VertexDetails {
  /** As people read it: `[build 2/4] RUN make`. */
  name?: string;
  description?: Record<string, string>;
  ignoresCache?: boolean;
  progressGroup?: ProgressGroup;
  resources?: LinuxResources;
  /** Where in a Dockerfile it comes from. */
  place?: Place;
}

export interface Place {
  info: SourceInfo;
  ranges: Range[];
}

/** Collects the inputs of one operation; the same output of the same vertex is one input. */
export interface Inputs {
  /** The edge's index; -1 for the empty tree. */
  indexOf(edge: Edge | undefined): bigint;
  readonly size: number;
}

export const outputOf = (vertex: Vertex): Edge => ({ vertex, output: 0 });

/** The graph that ends in `edge`; undefined for the empty tree. */
export function definitionOf(edge: Edge | undefined): Definition | undefined {
  if (edge === undefined) return undefined;
  const writer = new GraphWriter();
  const input = writer.inputOf(edge);
  return writer.finish(input);
}

/** A graph that was given by the client, to be built upon. Throws invalid for one that is not whole. */
export function edgeOfDefinition(definition: Definition): Edge | undefined {
  const messages = new Map(definition.def.map((bytes) => [digestOf(bytes), bytes]));
  const last = definition.def.at(-1);
  if (last === undefined) return undefined;
  const vertices = new Map<string, GivenVertex>();
  const edgeOf = ({ digest, index }: Input): Edge => {
    const bytes = messages.get(digest);
    if (bytes === undefined) throw invalid(`the definition has no operation ${digest}`);
    const known = vertices.get(digest);
    if (known !== undefined) return { vertex: known, output: Number(index) };
    const vertex = new GivenVertex(bytes, digest, definition);
    vertices.set(digest, vertex);
    vertex.inputs = fromBinary(OpSchema, bytes).inputs.map(edgeOf);
    return { vertex, output: Number(index) };
  };
  const [input] = fromBinary(OpSchema, last).inputs;
  return input === undefined ? undefined : edgeOf(input);
}

/** Its message is kept byte by byte, since the digest depends on it. */
class GivenVertex implements Vertex {
  readonly bytes: Uint8Array;
  readonly metadata: OpMetadata | undefined;
  readonly places: Place[];
  readonly details: VertexDetails = {};
  inputs: Edge[] = [];

  constructor(bytes: Uint8Array, digest: string, { metadata, Source }: Definition) {
    this.bytes = bytes;
    this.metadata = metadata[digest];
    this.places = (Source?.locations[digest]?.locations ?? []).flatMap(
      ({ sourceIndex, ranges }) => {
        const info = Source?.infos[sourceIndex];
        return info === undefined ? [] : [{ info, ranges }];
      },
    );
  }

  operation(): Operation {
    throw new Error('a given vertex is written as it is');
  }
}

const definitionCapabilities = ['constraints', 'platform'];

class GraphWriter {
  readonly #messages: Uint8Array[] = [];
  readonly #digests = new Map<Vertex, string>();
  readonly #metadata = new Map<string, OpMetadata>();
  readonly #infos: SourceInfo[] = [];
  readonly #places = new Map<string, Place[]>();

  inputOf({ vertex, output }: Edge): { digest: string; index: bigint } {
    return { digest: this.#digestOf(vertex), index: BigInt(output) };
  }

  /** The last message names the vertex that the graph is about. */
  finish(input: { digest: string; index: bigint }): Definition {
    const last = toBinary(OpSchema, create(OpSchema, { inputs: [input] }));
    const capabilities = [...definitionCapabilities];
    const metadata = [...this.#metadata.values()];
    if (metadata.some(({ ignoreCache }) => ignoreCache)) capabilities.push('meta.ignorecache');
    if (metadata.some(({ description }) => Object.keys(description).length > 0))
      capabilities.push('meta.description');
    return create(DefinitionSchema, {
      def: [...this.#messages, last],
      metadata: {
        ...Object.fromEntries(this.#metadata),
        [digestOf(last)]: create(OpMetadataSchema, { caps: trueFor(capabilities) }),
      },
      Source: create(SourceSchema, {
        infos: this.#infos,
        locations: Object.fromEntries(
          [...this.#places].map(([digest, places]) => [
            digest,
            {
              locations: places.map(({ info, ranges }) => ({
                sourceIndex: this.#infos.indexOf(info),
                ranges,
              })),
            },
          ]),
        ),
      }),
    });
  }

  #digestOf(vertex: Vertex): string {
    const known = this.#digests.get(vertex);
    if (known !== undefined) return known;
    const digest = vertex instanceof GivenVertex ? this.#keep(vertex) : this.#write(vertex);
    this.#digests.set(vertex, digest);
    return digest;
  }

  #keep({ bytes, inputs, metadata, places }: GivenVertex): string {
    for (const edge of inputs) this.inputOf(edge);
    return this.#add(bytes, metadata ?? create(OpMetadataSchema), places);
  }

  #write({ operation, details }: Vertex): string {
    const inputs = new InputList((edge) => this.inputOf(edge));
    const { op, platform, capabilities } = operation(inputs);
    const message = create(OpSchema, { op, platform, inputs: inputs.all, constraints: {} } as Op);
    const { name, description, ignoresCache, progressGroup, resources, place } = details;
    const metadata = create(OpMetadataSchema, {
      ignoreCache: ignoresCache ?? false,
      description: { ...description, ...(name !== undefined && { 'llb.customname': name }) },
      caps: trueFor(capabilities),
      progressGroup,
      linuxResources: resources,
    });
    return this.#add(toBinary(OpSchema, message), metadata, place === undefined ? [] : [place]);
  }

  /** Operations that are the same are one, which keeps what is said about either. */
  #add(bytes: Uint8Array, metadata: OpMetadata, places: readonly Place[]): string {
    const digest = digestOf(bytes);
    const earlier = this.#metadata.get(digest);
    if (earlier === undefined) this.#messages.push(bytes);
    this.#metadata.set(digest, earlier === undefined ? metadata : merged(earlier, metadata));
    for (const { info } of places) if (!this.#infos.includes(info)) this.#infos.push(info);
    this.#places.set(digest, [...(this.#places.get(digest) ?? []), ...places]);
    return digest;
  }
}

class InputList implements Inputs {
  readonly all: { digest: string; index: bigint }[] = [];
  readonly #inputOf: (edge: Edge) => { digest: string; index: bigint };

  constructor(inputOf: (edge: Edge) => { digest: string; index: bigint }) {
    this.#inputOf = inputOf;
  }

  get size(): number {
    return this.all.length;
  }

  indexOf(edge: Edge | undefined): bigint {
    if (edge === undefined) return -1n;
    const { digest, index } = this.#inputOf(edge);
    const at = this.all.findIndex((other) => other.digest === digest && other.index === index);
    return BigInt(at === -1 ? this.all.push({ digest, index }) - 1 : at);
  }
}

function merged(earlier: OpMetadata, later: OpMetadata): OpMetadata {
  return create(OpMetadataSchema, {
    ignoreCache: earlier.ignoreCache || later.ignoreCache,
    description: { ...earlier.description, ...later.description },
    exportCache: later.exportCache ?? earlier.exportCache,
    caps: { ...earlier.caps, ...later.caps },
    progressGroup: later.progressGroup ?? earlier.progressGroup,
    linuxResources: later.linuxResources ?? earlier.linuxResources,
  });
}

const trueFor = (names: readonly string[]): Record<string, boolean> =>
  Object.fromEntries(names.map((name) => [name, true]));

const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
