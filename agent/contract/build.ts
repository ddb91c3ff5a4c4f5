/** Builds as `/corten/v1/builds` tells them: what was asked for, how far it is, and what each step said. */

/** A build that runs or has ended. Times are RFC 3339. */
export interface BuildDocument {
  /** The id that the client chose. */
  ref: string;
  state: BuildState;
  startedAt: string;
  /** Absent while it runs. */
  completedAt?: string;
  /** Path of the Dockerfile in its folder; absent for graphs that have none (`buildctl`, Dagger). */
  dockerfile?: string;
  target?: string;
  /** `linux/amd64`; empty: this machine's. */
  platforms: string[];
  /** Their values are shown to everybody who sees the build: secrets have a way of their own. */
  buildArguments: Record<string, string>;
  /** The image's names, with tags. */
  names: string[];
  /** Of the image that came out. */
  imageId?: string;
  steps: { total: number; cached: number; completed: number };
  warnings: number;
  /** Kept however many others come. */
  isPinned: boolean;
  failure?: BuildFailure;
}

export type BuildState = 'running' | 'completed' | 'failed' | 'cancelled';

export interface BuildFailure {
  message: string;
  /** Digest of the step that failed; absent where no step did, such as for a Dockerfile that cannot be read. */
  step?: string;
  /** Of the step's process. */
  exitCode?: number;
  /** Where it is written. */
  source?: BuildSourceLines;
}

/** A file, and the lines of it that are meant; lines count from 1. */
export interface BuildSourceLines {
  fileName: string;
  content: string;
  ranges: { startLine: number; endLine: number }[];
}

/** One line of a build's progress: what happened since the line before, in BuildKit's words (client.SolveStatus). */
export interface BuildProgressDocument {
  vertexes?: BuildVertex[];
  statuses?: BuildStatus[];
  logs?: BuildLog[];
  warnings?: BuildWarning[];
}

/** A step. It is told again at each change. */
export interface BuildVertex {
  /** `sha256:…` */
  digest: string;
  /** Digests of the steps that it needs. */
  inputs: string[];
  /** `[build 2/4] RUN make` */
  name: string;
  cached?: boolean;
  started?: string;
  completed?: string;
  error?: string;
}

/** A part of a step that takes long, such as the download of one layer. */
export interface BuildStatus {
  id: string;
  /** The step's digest. */
  vertex: string;
  name: string;
  /** Bytes, mostly; a total of 0 is unknown. */
  current: number;
  total: number;
  started?: string;
  completed?: string;
}

export interface BuildLog {
  vertex: string;
  /** 1: standard output, 2: standard error. */
  stream: 1 | 2;
  /** The bytes, in base64: a piece may end inside a character. */
  data: string;
  timestamp: string;
}

export interface BuildWarning {
  vertex: string;
  level: number;
  short: string;
  detail: string[];
  url: string;
  source?: BuildSourceLines;
}
