/** A stage while it is converted: what it is built on, what it needs, and what it is so far. */
import type { Instruction } from '../../dockerfile/instruction.ts';
import type { SourceRange } from '../../dockerfile/source.ts';
import type { Stage } from '../../dockerfile/stages.ts';
import { invalid } from '../../errors.ts';
import type { Edge } from '../llb/graph.ts';
import type { Platform } from '../llb/ops.ts';
import type { ImageDocument } from './image-document.ts';
import type { NamedContext } from './named-contexts.ts';

/** An instruction with the stages whose files it takes: COPY's, or one for each of RUN's mounts. */
export interface StageStep {
  instruction: Instruction;
  sources: StageNode[];
  /** From a trigger of the base image. */
  isOnBuild: boolean;
}

/** What a process started now would find. */
export interface StageState {
  /** Undefined: the empty tree. */
  tree: Edge | undefined;
  /** In the order in which they were set last; build arguments are among them. */
  env: Map<string, string>;
  directory: string;
  user: string;
}

export interface StageNode {
  /** Undefined for an image or a named context that an instruction names. */
  stage: Stage | undefined;
  /** With its variables' values: a stage's name or an image reference. */
  baseName: string;
  range: SourceRange | undefined;
  /** As it is shown: the stage's name, or `stage-0`. */
  name: string;
  base: StageNode | undefined;
  namedContext: NamedContext | undefined;
  platform: Platform | undefined;
  steps: StageStep[];
  dependencies: Map<StageNode, Instruction>;
  image: ImageDocument;
  /** As it was found, for what compares both. */
  baseImage: ImageDocument | undefined;
  state: StageState;
  buildArgs: { name: string; value: string | undefined }[];
  /** Paths of the build context that are used. */
  contextPaths: Set<string>;
  /** Paths of this stage's own tree that are used; for named contexts, which bring no more than these. */
  paths: Set<string>;
  isResolved: boolean;
  isConverted: boolean;
  areTriggersAdded: boolean;
  ignoresCache: boolean;
  stepCount: number;
  stepIndex: number;
  isWorkdirSet: boolean;
  isOnBuild: boolean;
  /** Where CMD, ENTRYPOINT and HEALTHCHECK were given last in this stage. */
  given: Map<'cmd' | 'entrypoint' | 'healthcheck', SourceRange>;
}

export function newStageNode(
  given: Pick<StageNode, 'stage' | 'baseName' | 'range' | 'name'>,
): StageNode {
  return {
    ...given,
    base: undefined,
    namedContext: undefined,
    platform: undefined,
    steps: [],
    dependencies: new Map(),
    image: { config: {}, rootfs: { type: 'layers', diff_ids: [] }, history: [] },
    baseImage: undefined,
    state: { tree: undefined, env: new Map(), directory: '/', user: '' },
    buildArgs: [],
    contextPaths: new Set(),
    paths: new Set(),
    isResolved: false,
    isConverted: false,
    areTriggersAdded: false,
    ignoresCache: false,
    stepCount: 0,
    stepIndex: 0,
    isWorkdirSet: false,
    isOnBuild: false,
    given: new Map(),
  };
}

export class StageList {
  /** Stages, and what instructions name beside them, in the order in which they were found. */
  readonly all: StageNode[] = [];
  readonly #byName = new Map<string, StageNode>();

  /** A base that is an earlier stage is found here. */
  add(node: StageNode): void {
    this.all.push(node);
    node.base = this.#byName.get(node.baseName);
    const stageName = node.stage?.from.stageName ?? '';
    if (stageName !== '') this.#byName.set(stageName, node);
  }

  get names(): string[] {
    return this.all.filter(({ stage }) => stage !== undefined).map(({ name }) => name);
  }

  named(name: string): StageNode | undefined {
    return this.#byName.get(name.toLowerCase());
  }

  /** Throws invalid. */
  numbered(index: number): StageNode {
    const node = this.all[index];
    if (node === undefined) throw invalid(`invalid stage index ${index}`);
    return node;
  }
}

/** The stage and all that it needs. */
export function reachableFrom(node: StageNode): Set<StageNode> {
  const found = new Set<StageNode>();
  const visit = (next: StageNode) => {
    if (found.has(next)) return;
    found.add(next);
    if (next.base !== undefined) visit(next.base);
    for (const dependency of next.dependencies.keys()) visit(dependency);
  };
  visit(node);
  return found;
}

/** Begins with what the base is by now. */
export function inherit(node: StageNode): void {
  const { base } = node;
  if (base === undefined) return;
  node.state = { ...base.state, env: new Map(base.state.env) };
  node.platform = base.platform;
  node.image = structuredClone(base.image);
  // Triggers are for the first stage after their image.
  delete node.image.config.OnBuild;
  node.baseImage = base.baseImage;
  node.paths = base.paths;
  node.isWorkdirSet = base.isWorkdirSet;
  node.buildArgs = [...base.buildArgs];
}
