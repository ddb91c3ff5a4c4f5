/** The solver: one evaluation a job, over a cache and steps that all jobs share. */
import { randomUUID } from 'node:crypto';
import type { Definition } from '../llb/ops.ts';
import { scratch } from '../snapshots/snapshot.ts';
import type { ImageSource } from '../sources/image.ts';
import { Evaluation, type EvaluationParts } from './evaluation.ts';
import { readGraph } from './graph.ts';
import type { Job } from './job.ts';
import type { Ref, ResolvedImage, ResolveImageRequest, Solver } from './solver.ts';

export interface GraphSolverParts extends EvaluationParts {
  images: ImageSource;
}

export class GraphSolver implements Solver {
  readonly #parts: GraphSolverParts;
  readonly #evaluations = new WeakMap<Job, Evaluation>();

  constructor(parts: GraphSolverParts) {
    this.#parts = parts;
  }

  load(job: Job, definition: Definition): Ref {
    const graph = readGraph(definition);
    const evaluation = this.#evaluationOf(job);
    for (const vertex of graph.vertexes) evaluation.announce(vertex);
    return {
      id: randomUUID(),
      definition,
      snapshot: async () =>
        graph.result === undefined ? scratch : evaluation.snapshot(graph.result),
    };
  }

  resolveImage(job: Job, request: ResolveImageRequest): Promise<ResolvedImage> {
    return this.#parts.images.resolve(job, request);
  }

  /** Ends what the job holds; to be called when it is over. */
  release(job: Job): void {
    this.#evaluations.get(job)?.release();
    this.#evaluations.delete(job);
  }

  #evaluationOf(job: Job): Evaluation {
    const known = this.#evaluations.get(job);
    if (known !== undefined) return known;
    const evaluation = new Evaluation(job, this.#parts);
    this.#evaluations.set(job, evaluation);
    return evaluation;
  }
}
