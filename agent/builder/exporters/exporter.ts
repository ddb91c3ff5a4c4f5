/** What is done with a result: each kind of output (`moby`, `image`, `docker`, `oci`, `local`, `tar`) is a file beside this one. */
import type { BuildResult } from '../result.ts';
import type { Job } from '../solver/job.ts';

export interface ExportRequest {
  job: Job;
  result: BuildResult;
  /** Its index among the build's exporters: the client tells outputs apart by it. */
  index: number;
  /** As the client wrote them: `name`, `push`, `compression`, `oci-mediatypes`, `source-date-epoch` … */
  attributes: Readonly<Record<string, string>>;
}

/** Resolves with what the client is told: `containerimage.digest`, `containerimage.config.digest`, `image.name` … */
export type Exporter = (request: ExportRequest) => Promise<Record<string, string>>;
