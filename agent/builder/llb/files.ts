/** Vertices of file operations, COPY and ADD above all, and of merged trees. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Edge, Inputs, Vertex, VertexDetails } from './graph.ts';
import type { ChownOptSchema, FileActionSchema } from './ops.ts';

/** `1000:users`: each part a number or a name of the tree that is written to. */
export type Owner = string;

export type FileStep =
  | {
      kind: 'copy';
      source: Edge | undefined;
      /** Absolute. */
      from: string;
      /** Absolute; a slash at the end means a directory. */
      to: string;
      owner: Owner;
      /** Undefined: as in the source. Text is in chmod(1)'s words. */
      mode: number | string | undefined;
      include: readonly string[];
      exclude: readonly string[];
      requiredPaths: readonly string[];
      followsLinks: boolean;
      copiesContents: boolean;
      unpacks: boolean;
      makesParents: boolean;
      allowsWildcards: boolean;
    }
  | {
      kind: 'mkdir';
      path: string;
      mode: number;
      owner: Owner;
      createdAt?: Date;
      /** Only the directory itself is made. */
      withoutParents?: boolean;
    }
  | { kind: 'mkfile'; path: string; mode: number; data: Uint8Array };

/** A copy of what is named as it is, for others to add to. */
export const plainCopy = {
  kind: 'copy',
  owner: '',
  mode: undefined,
  include: [],
  exclude: [],
  requiredPaths: [],
  followsLinks: false,
  copiesContents: false,
  unpacks: false,
  makesParents: false,
  allowsWildcards: false,
} as const;

/** The steps one after the other, beginning with `base`; output 0 is what the last one leaves. */
export function fileVertex(
  base: Edge | undefined,
  steps: readonly FileStep[],
  details: VertexDetails,
): Vertex {
  return {
    details,
    operation: (inputs) => {
      const baseIndex = inputs.indexOf(base);
      const sources = steps.map((step) =>
        step.kind === 'copy' ? inputs.indexOf(step.source) : -1n,
      );
      const actions = steps.map((step, index) => ({
        // A step's result counts on after the inputs.
        input: index === 0 ? baseIndex : BigInt(inputs.size + index - 1),
        secondaryInput: sources[index]!,
        output: index === steps.length - 1 ? 0n : -1n,
        action: actionOf(step, baseIndex),
      }));
      return { op: { case: 'file', value: { actions } }, capabilities: capabilitiesOf(steps) };
    },
  };
}

function actionOf(
  step: FileStep,
  base: bigint,
): MessageInitShape<typeof FileActionSchema>['action'] {
  switch (step.kind) {
    case 'copy':
      return {
        case: 'copy',
        value: {
          src: step.from,
          dest: step.to,
          owner: ownerOf(step.owner, base),
          mode: typeof step.mode === 'number' ? step.mode : step.mode === undefined ? -1 : 0,
          modeStr: typeof step.mode === 'string' ? step.mode : '',
          followSymlink: step.followsLinks,
          dirCopyContents: step.copiesContents,
          attemptUnpackDockerCompatibility: step.unpacks,
          createDestPath: step.makesParents,
          allowWildcard: step.allowsWildcards,
          allowEmptyWildcard: step.allowsWildcards,
          timestamp: -1n,
          includePatterns: [...step.include],
          excludePatterns: [...step.exclude],
          requiredPaths: [...step.requiredPaths],
        },
      };
    case 'mkdir':
      return {
        case: 'mkdir',
        value: {
          path: step.path,
          mode: step.mode,
          makeParents: step.withoutParents !== true,
          owner: ownerOf(step.owner, base),
          timestamp:
            step.createdAt === undefined ? -1n : BigInt(step.createdAt.getTime()) * 1_000_000n,
        },
      };
    case 'mkfile':
      return {
        case: 'mkfile',
        value: { path: step.path, mode: step.mode, data: step.data, timestamp: -1n },
      };
  }
}

function ownerOf(owner: Owner, base: bigint): MessageInitShape<typeof ChownOptSchema> | undefined {
  if (owner === '') return undefined;
  const colon = owner.indexOf(':');
  const user = colon === -1 ? owner : owner.slice(0, colon);
  return {
    user: personOf(user, base),
    ...(colon !== -1 && { group: personOf(owner.slice(colon + 1), base) }),
  };
}

const maxId = 0x7fff_ffff;

/** Names are looked up in the tree that is written to. */
function personOf(name: string, input: bigint) {
  if (name === 'root' || name === '') return { user: { case: 'byID' as const, value: 0 } };
  if (/^\d{1,10}$/.test(name) && Number(name) <= maxId)
    return { user: { case: 'byID' as const, value: Number(name) } };
  return { user: { case: 'byName' as const, value: { name, input } } };
}

function capabilitiesOf(steps: readonly FileStep[]): string[] {
  const copies = steps.filter((step) => step.kind === 'copy');
  const needed: Record<string, boolean> = {
    'file.base': true,
    'file.copy.includeexcludepatterns': copies.some(
      ({ include, exclude }) => include.length + exclude.length > 0,
    ),
    'file.copy.requiredpaths': copies.some(({ requiredPaths }) => requiredPaths.length > 0),
    'file.copy.modestring': copies.some(({ mode }) => typeof mode === 'string'),
  };
  return Object.keys(needed).filter((name) => needed[name]);
}

/** The trees laid over each other, the first one at the bottom. The empty tree adds nothing. */
export function mergedEdge(
  edges: readonly (Edge | undefined)[],
  details: VertexDetails,
): Edge | undefined {
  const trees = edges.filter((edge) => edge !== undefined);
  if (trees.length < 2) return trees[0];
  const operation = (inputs: Inputs) => ({
    op: {
      case: 'merge' as const,
      value: { inputs: trees.map((edge) => ({ input: inputs.indexOf(edge) })) },
    },
    capabilities: ['mergeop'],
  });
  return { vertex: { details, operation }, output: 0 };
}
