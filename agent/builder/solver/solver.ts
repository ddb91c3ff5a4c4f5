/**
 * The solver: from a graph of operations to file trees, each computed once. It decides what runs, in which order and
 * what the cache already has; how an operation is carried out is in `steps/`.
 */
import type { Definition, Platform } from '../llb/ops.ts';
import type { Snapshot } from '../snapshots/snapshot.ts';
import type { SourceLocation } from '../source-location.ts';
import type { Job } from './job.ts';

export interface Solver {
  /** Checks the graph and gives a handle on its result; nothing runs yet. Throws invalid for a graph that makes no sense. */
  load(job: Job, definition: Definition, options?: SolveOptions): Ref;
  /** An image's digest and configuration, without its layers. Throws not-found, unauthorized. */
  resolveImage(job: Job, request: ResolveImageRequest): Promise<ResolvedImage>;
}

export interface SolveOptions {
  /** Cache sources beside our own: `type=registry,ref=…` and the like, as attributes. */
  cacheImports?: readonly { type: string; attributes: Readonly<Record<string, string>> }[];
  /** Images that were changed by the client's source policy keep to it. */
  session?: string;
}

/** A result that is computed when somebody first needs it. */
export interface Ref {
  /** Unique within the agent's life. */
  id: string;
  definition: Definition;
  /** Computes it, or waits for who computes it already. Throws StepFailure, or the abort reason of the job. */
  snapshot(): Promise<Snapshot>;
}

export interface ResolveImageRequest {
  /** A reference in any form: `alpine`, `docker.io/library/alpine:3@sha256:…`. */
  reference: string;
  platform: Platform;
  /** `pull` asks the registry even when the image is here (`--pull`), `local` never does. */
  mode: 'default' | 'pull' | 'local';
  /** For the vertex under which the progress is told; absent: untold. */
  logName?: string;
}

export interface ResolvedImage {
  /** Manifest digest: names the content. */
  digest: string;
  /** The OCI image configuration as the registry has it. */
  config: Uint8Array;
  /** With the digest: `docker.io/library/alpine:3@sha256:…`. */
  reference: string;
}

/** A step that failed, with what a client needs to show where. */
export class StepFailure extends Error {
  /** Of the vertex. */
  readonly digest: string;
  /** Of a process; absent for other steps. */
  readonly exitCode: number | undefined;
  /** From the definition's source map; absent for graphs that have none. */
  readonly location: SourceLocation | undefined;

  constructor(
    message: string,
    options: { digest: string; exitCode?: number; location?: SourceLocation; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.name = 'StepFailure';
    this.digest = options.digest;
    this.location = options.location;
    this.exitCode = options.exitCode;
  }
}
