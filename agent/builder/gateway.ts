/** The front end's side of one build: what front ends here, and clients that are front ends, may ask for. */
import { CortenError, notFound } from '../errors.ts';
import type { Gateway } from './builds.ts';
import type { FrontEnd, FrontEndBridge, FrontEndRef, FrontEndResult } from './front-end.ts';
import type { Definition, Platform } from './llb/ops.ts';
import type { BuildResult } from './result.ts';
import { hasFile, readFileIn } from './snapshots/read-file.ts';
import type { Job } from './solver/job.ts';
import type { Ref, Solver } from './solver/solver.ts';

export interface GatewayParts {
  solver: Solver;
  frontEnds: Readonly<Record<string, FrontEnd>>;
  /** The machine's own first. */
  platforms: readonly Platform[];
}

export class BuildGateway implements Gateway {
  readonly bridge: FrontEndBridge;
  readonly #job: Job;
  readonly #parts: GatewayParts;
  readonly #refs = new Map<string, Ref>();
  readonly #result = Promise.withResolvers<BuildResult>();

  constructor(job: Job, parts: GatewayParts) {
    this.#job = job;
    this.#parts = parts;
    this.bridge = {
      sessionId: job.client.id,
      platforms: parts.platforms,
      load: (definition) => readable(this.load(definition)),
      resolveImage: (request) => parts.solver.resolveImage(job, request),
      warn: ({ vertex = '', ...warning }) => job.progress.warning({ ...warning, vertex }),
    };
    // A client that goes away before it has returned anything: nobody waits for the result.
    this.#result.promise.catch(() => {});
  }

  /** What the client returned. Throws what it returned as its failure. */
  get result(): Promise<BuildResult> {
    return this.#result.promise;
  }

  ref(id: string): Ref {
    const ref = this.#refs.get(id);
    if (ref === undefined) throw notFound(`the build has no result ${id}`);
    return ref;
  }

  load(definition: Definition): Ref {
    const ref = this.#parts.solver.load(this.#job, definition);
    this.#refs.set(ref.id, ref);
    return ref;
  }

  frontEnd(
    name: string,
    options: Readonly<Record<string, string>>,
    inputs: ReadonlyMap<string, Definition>,
  ): Promise<FrontEndResult> {
    const frontEnd = this.#parts.frontEnds[name];
    if (frontEnd === undefined)
      throw new CortenError(
        'not-implemented',
        `the front end ${name} is not supported; supported are ${Object.keys(this.#parts.frontEnds).join(', ')}`,
      );
    return frontEnd({ options, inputs, bridge: this.bridge });
  }

  finish(result: BuildResult | Error): void {
    if (result instanceof Error) this.#result.reject(result);
    else this.#result.resolve(result);
  }
}

function readable(ref: Ref): FrontEndRef {
  return {
    readFile: async (path) => readFileIn(await ref.snapshot(), path),
    exists: async (path) => hasFile(await ref.snapshot(), path),
  };
}
