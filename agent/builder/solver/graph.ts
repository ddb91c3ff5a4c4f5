/** A graph of operations from its wire form (pb.Definition): each operation checked, and linked to its inputs. */
import { createHash } from 'node:crypto';
import { fromBinary } from '@bufbuild/protobuf';
import { invalid } from '../../errors.ts';
import { type Definition, type Op, type OpMetadata, OpSchema } from '../llb/ops.ts';

export interface Vertex {
  /** sha256 of the operation's bytes. */
  digest: string;
  op: Op;
  inputs: Edge[];
  metadata: OpMetadata | undefined;
  /** As people read it. */
  name: string;
}

/** One output of a vertex. */
export interface Edge {
  vertex: Vertex;
  index: number;
}

export interface Graph {
  /** Undefined: the empty tree. */
  result: Edge | undefined;
  /** All that the result needs, inputs before who needs them. */
  vertexes: Vertex[];
}

/** Throws invalid, naming the digest, for operations that are missing or cannot be read. */
export function readGraph(definition: Definition): Graph {
  const bytes = new Map(definition.def.map((each) => [digestOf(each), each]));
  const last = definition.def.at(-1);
  if (last === undefined) return { result: undefined, vertexes: [] };
  const vertexes = new Map<string, Vertex>();
  const read = (digest: string): Vertex => {
    const known = vertexes.get(digest);
    if (known !== undefined) return known;
    const content = bytes.get(digest);
    if (content === undefined) throw invalid(`the build's graph lacks the operation ${digest}`);
    const op = operation(content, digest);
    const metadata = definition.metadata[digest];
    const vertex: Vertex = {
      digest,
      op,
      inputs: op.inputs.map((input) => ({
        vertex: read(input.digest),
        index: Number(input.index),
      })),
      metadata,
      name: metadata?.description['llb.customname'] ?? defaultName(op),
    };
    vertexes.set(digest, vertex);
    return vertex;
  };
  // The last operation is none: it only points to the result (LLB's terminal operation).
  const [terminal] = operation(last, digestOf(last)).inputs;
  if (terminal === undefined) return { result: undefined, vertexes: [] };
  const result = { vertex: read(terminal.digest), index: Number(terminal.index) };
  return { result, vertexes: [...vertexes.values()] };
}

function operation(bytes: Uint8Array, digest: string): Op {
  try {
    return fromBinary(OpSchema, bytes);
  } catch (error) {
    throw invalid(`the operation ${digest} of the build's graph cannot be read`, { cause: error });
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Where a client gave no name (BuildKit's llbsolver, llbOpName). */
function defaultName({ op }: Op): string {
  switch (op.case) {
    case 'source':
      return op.value.identifier;
    case 'exec':
      return op.value.meta?.args.join(' ') ?? 'exec';
    case 'file':
      return op.value.actions.map(({ action }) => action.case ?? 'nothing').join(', ');
    default:
      return op.case ?? 'unknown operation';
  }
}
