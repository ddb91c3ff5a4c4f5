/** How the solver has one operation carried out: each kind of operation is a file beside this one. */
import type { Op } from '../llb/ops.ts';
import type { Snapshot, SnapshotStore } from '../snapshots/snapshot.ts';
import type { Job } from '../solver/job.ts';
import type { StepRunner } from './step-runner.ts';

export interface StepContext {
  job: Job;
  /** Of the vertex: progress and failures name it. */
  digest: string;
  op: Op;
  /** In the order of `op.inputs`. */
  inputs: readonly Snapshot[];
  snapshots: SnapshotStore;
  runner: StepRunner;
  signal: AbortSignal;
  log(stream: 1 | 2, data: Uint8Array): void;
}

/** The outputs by index; an undefined one is an output that nobody can ask for. */
export type StepOutputs = (Snapshot | undefined)[];

export type Step = (context: StepContext) => Promise<StepOutputs>;
