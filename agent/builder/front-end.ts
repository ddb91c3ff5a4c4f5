/**
 * What a front end is (BuildKit's gateway: frontend/gateway/client): it reads the client's words and files and answers
 * with graphs to be solved. The Dockerfile front end is built in; clients that speak LLBBridge are front ends that run
 * elsewhere.
 */
import { CortenError } from '../errors.ts';
import type { Definition, Platform, Range, SourceInfo } from './llb/ops.ts';
import type { WarningProgress } from './solver/progress.ts';
import type { ResolvedImage, ResolveImageRequest } from './solver/solver.ts';

export type FrontEnd = (input: FrontEndInput) => Promise<FrontEndResult>;

export interface FrontEndInput {
  /** `filename`, `target`, `build-arg:NAME`, `label:NAME`, `platform`, `no-cache`, `context:NAME`, `add-hosts` … */
  options: Readonly<Record<string, string>>;
  /** Graphs that the client gave by name (`FrontendInputs`). */
  inputs: ReadonlyMap<string, Definition>;
  bridge: FrontEndBridge;
}

export interface FrontEndBridge {
  /** The id that local sources name, so that the solver asks the right client. */
  sessionId: string;
  /** This machine's platform, and those that it can run. */
  platforms: readonly Platform[];
  load(definition: Definition): FrontEndRef;
  resolveImage(request: ResolveImageRequest): Promise<ResolvedImage>;
  warn(warning: Omit<WarningProgress, 'vertex'> & { vertex?: string }): void;
}

export interface FrontEndRef {
  /** All of the file, or its first bytes. Throws not-found. */
  readFile(path: string, maxBytes?: number): Promise<Buffer>;
  exists(path: string): Promise<boolean>;
}

export interface FrontEndResult {
  /** By platform (`linux/amd64`); a single-platform build has one. */
  results: Map<
    string,
    { definition: Definition | undefined; config: Uint8Array; platform: Platform }
  >;
  /** Whether the client asked for several platforms: the result is then an image index. */
  isMultiPlatform: boolean;
  /** Further answers by key, such as those of subrequests (`result.json`, `result.txt`). */
  metadata: Map<string, Uint8Array>;
}

/** What went wrong at one place of a file that the client wrote: clients show its lines. */
export class SourceFailure extends CortenError {
  readonly info: SourceInfo;
  readonly ranges: Range[];

  constructor(message: string, { info, ranges, kind = 'invalid', cause }: SourceFailureOptions) {
    super(kind, message, { cause });
    this.name = 'SourceFailure';
    this.info = info;
    this.ranges = ranges;
  }
}

interface SourceFailureOptions {
  info: SourceInfo;
  ranges: Range[];
  kind?: CortenError['kind'];
  cause?: unknown;
}
