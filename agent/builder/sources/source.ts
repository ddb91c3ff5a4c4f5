/** What a source operation names: each kind (image, local directory, git, http) is a file beside this one. */
import type { Op, SourceOp } from '../llb/ops.ts';
import type { Snapshot } from '../snapshots/snapshot.ts';
import type { Job } from '../solver/job.ts';

export interface SourceRequest {
  job: Job;
  /** Of the vertex. */
  digest: string;
  source: SourceOp;
  platform: Op['platform'];
  signal: AbortSignal;
}

export interface FoundSource {
  /**
   * Names the content, and is the same in every build: a manifest's digest, a commit. Undefined when only a checksum of
   * the files could say.
   */
  identity: string | undefined;
  /** `cached`: the files were here before; `brought`: they came while this was found out; `remote`: not yet here. */
  state: 'cached' | 'brought' | 'remote';
  /** Brings the files here where they are remote. */
  snapshot(): Promise<Snapshot>;
  /** Ends the use of the files, when the job is over. */
  release?(): void;
}

export type Source = (request: SourceRequest) => Promise<FoundSource>;
