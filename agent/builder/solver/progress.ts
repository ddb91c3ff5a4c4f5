/**
 * What a build tells while it runs, in the words of BuildKit's Status stream (api/services/control, Vertex,
 * VertexStatus, VertexLog, VertexWarning): both doors, the history and the UI are fed from it.
 */
import type { ProgressGroup, Range, SourceInfo } from '../llb/ops.ts';

export interface VertexProgress {
  /** `sha256:…` of the vertex. */
  digest: string;
  inputs: string[];
  /** As people read it: `[build 2/4] RUN make`. */
  name: string;
  cached: boolean;
  started?: Date;
  completed?: Date;
  /** Why it failed; absent otherwise. */
  error?: string;
  progressGroup?: ProgressGroup;
}

/** A part of a vertex that takes long, such as the download of one layer. */
export interface StatusProgress {
  /** Unique within its vertex. */
  id: string;
  vertex: string;
  name: string;
  /** In bytes where they count anything; `total` 0 is unknown. */
  current: number;
  total: number;
  started?: Date;
  completed?: Date;
}

export interface LogProgress {
  vertex: string;
  /** 1: standard output, 2: standard error. */
  stream: 1 | 2;
  data: Uint8Array;
  timestamp: Date;
}

export interface WarningProgress {
  vertex: string;
  level: number;
  short: string;
  detail: string[];
  url: string;
  info?: SourceInfo;
  ranges: Range[];
}

/** Never throws and never waits: a slow listener must not slow a build. */
export interface ProgressSink {
  vertex(progress: VertexProgress): void;
  status(progress: StatusProgress): void;
  log(progress: LogProgress): void;
  warning(progress: WarningProgress): void;
}
