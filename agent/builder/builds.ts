/**
 * The builds that are under way and those that were: what both doors (the classic `POST /build` and BuildKit's gRPC
 * services) hand their requests to.
 */
import type { BuildFailure } from '../contract/build.ts';
import type { FrontEndBridge, FrontEndResult } from './front-end.ts';
import type { Definition } from './llb/ops.ts';
import type { BuildResult } from './result.ts';
import type { BuildClient } from './solver/job.ts';
import type {
  LogProgress,
  StatusProgress,
  VertexProgress,
  WarningProgress,
} from './solver/progress.ts';
import type { Ref } from './solver/solver.ts';

export interface BuildRequest {
  /** Chosen by the client; a second build of the same ref is refused with conflict. */
  ref: string;
  client: BuildClient;
  source: BuildSource;
  exporters: TypeAndAttributes[];
  cacheImports: TypeAndAttributes[];
  cacheExports: TypeAndAttributes[];
  /** `network.host`, `security.insecure`. */
  entitlements: string[];
}

/** Who makes the graph: a front end here, the client beforehand, or the client call by call (LLBBridge). */
export type BuildSource =
  | {
      kind: 'front-end';
      /** `dockerfile.v0`. */
      name: string;
      options: Readonly<Record<string, string>>;
      inputs: ReadonlyMap<string, Definition>;
    }
  | { kind: 'definition'; definition: Definition }
  | { kind: 'client' };

export interface TypeAndAttributes {
  type: string;
  attributes: Readonly<Record<string, string>>;
}

/** What has happened since the last batch, each list in order. */
export interface ProgressBatch {
  vertexes: VertexProgress[];
  statuses: StatusProgress[];
  logs: LogProgress[];
  warnings: WarningProgress[];
}

export interface Builds {
  /** Runs to the end and resolves with the exporters' answers. Throws StepFailure and CortenError. */
  run(request: BuildRequest, signal: AbortSignal): Promise<Record<string, string>>;
  /**
   * From the build's beginning to its end; a build that has ended is told in full. Waits a moment for a ref that is
   * not there yet, since clients ask before their build has arrived. Throws not-found.
   */
  progress(ref: string, signal: AbortSignal): AsyncIterable<ProgressBatch>;
  /** Stops it; its client hears BuildCancelled. Throws not-found, and conflict for one that has ended. */
  cancel(ref: string): void;
  /** The calls of a client that makes its graph itself. Throws not-found. */
  gateway(ref: string): Gateway;
  history: History;
}

/** Somebody other than the build's own client called it off. */
export class BuildCancelled extends Error {
  constructor() {
    super('the build was cancelled');
    this.name = 'BuildCancelled';
  }
}

/** Builds that run and those that have ended, over restarts. */
export interface History {
  /** The newest first. */
  list(): BuildRecord[];
  /** Throws not-found. */
  setPinned(ref: string, isPinned: boolean): void;
  /** Throws not-found, and conflict for one that runs. */
  remove(ref: string): void;
  /** What changes from now on. */
  watch(signal: AbortSignal): AsyncIterable<HistoryEvent>;
}

export type HistoryEvent = { kind: 'started' | 'completed' | 'deleted'; record: BuildRecord };

export interface BuildRecord {
  ref: string;
  source: BuildSource['kind'];
  /** Of the front end; empty otherwise. Values of build arguments are here, values of secrets never. */
  options: Record<string, string>;
  exporters: TypeAndAttributes[];
  startedAt: Date;
  /** Absent while it runs. */
  completedAt?: Date;
  /** Why it failed. */
  error?: string;
  /** The same, with the step and its place in the Dockerfile. */
  failure?: BuildFailure;
  /** Its client went away, or somebody called it off. */
  isCancelled?: boolean;
  response: Record<string, string>;
  steps: { total: number; cached: number; completed: number };
  warnings: number;
  /** Kept however many others come. */
  isPinned: boolean;
}

export interface Gateway {
  bridge: FrontEndBridge;
  /** Refs by their id, as `LLBBridge.Solve` answered them. Throws not-found. */
  ref(id: string): Ref;
  load(definition: Definition): Ref;
  /** Runs a front end for the client, which may look at the result before it returns it. */
  frontEnd(
    name: string,
    options: Readonly<Record<string, string>>,
    inputs: ReadonlyMap<string, Definition>,
  ): Promise<FrontEndResult>;
  /** Ends the client's part: what `run` then exports, or why it fails. */
  finish(result: BuildResult | Error): void;
}
