/** What the build routes need of the builder. */
import type { Duplex, Readable } from 'node:stream';
import type { BuildDocument, BuildProgressDocument } from '../../contract/build.ts';

export interface BuildBackend {
  /** `POST /build`: messages as they come; a failure is thrown and becomes the stream's last message. */
  build(request: ClassicBuildRequest): AsyncIterable<BuildMessage>;
  /** `POST /build/cancel?id=…` */
  cancel(id: string): void;
  /** Speaks HTTP/2 with BuildKit's services on a connection that `POST /grpc` handed over. */
  serveControl(connection: Duplex): void;
  /** Takes the client's services (files, secrets, ssh) from a connection that `POST /session` handed over. */
  serveSession(connection: Duplex, session: SessionHeaders): void;
  usage(): Promise<CacheRecord[]>;
  prune(request: PruneRequest): Promise<{ deleted: string[]; reclaimedBytes: number }>;
}

/** What the routes of `/corten/v1/builds` need: builds of both doors, those that run and those that have ended. */
export interface BuildsBackend {
  /** The newest first. */
  list(): Promise<BuildDocument[]>;
  /** Throws not-found, as all of the following. */
  inspect(ref: string): Promise<BuildDocument>;
  /** From the beginning to the end. Waits a moment for a build that is about to begin. */
  progress(ref: string, signal: AbortSignal): AsyncIterable<BuildProgressDocument>;
  /** Throws conflict for a build that has ended. */
  cancel(ref: string): Promise<void>;
  setPinned(ref: string, isPinned: boolean): Promise<void>;
  /** Forgets its record. Throws conflict for a build that runs. */
  remove(ref: string): Promise<void>;
}

export interface SessionHeaders {
  id: string;
  name: string;
  sharedKey: string;
  /** Paths of gRPC methods that the client serves. */
  methods: string[];
}

/** Docker's query parameters in plain types (docs: Engine API, ImageBuild). */
export interface ClassicBuildRequest {
  /** The build context: a tar archive, plain or compressed; undefined with `remote`. */
  context: Readable | undefined;
  /** A git repository, an archive's or a Dockerfile's address. */
  remote?: string;
  dockerfile: string;
  tags: string[];
  isQuiet: boolean;
  noCache: boolean;
  pull: boolean;
  buildArgs: Record<string, string | null>;
  labels: Record<string, string>;
  target?: string;
  networkMode?: string;
  platform?: string;
  extraHosts: string[];
  shmBytes?: number;
  ulimits: { name: string; soft: number; hard: number }[];
  memoryBytes?: number;
  memorySwapBytes?: number;
  cpuShares?: number;
  cpuQuotaMicros?: number;
  cpuPeriodMicros?: number;
  cpuset?: string;
  cacheFrom: string[];
  squash: boolean;
  outputs: { type: string; attributes: Record<string, string> }[];
  /** `2` with a session: BuildKit's form of the same route. */
  version: '1' | '2';
  session?: string;
  /** The build's ref, chosen by the client (`buildid`). */
  id?: string;
  /** By id, for `RUN --mount=type=secret`; in memory only. */
  secrets?: ReadonlyMap<string, Buffer>;
  /** By the registry's domain, from `X-Registry-Config`. */
  credentials: Record<string, { username: string; password: string }>;
  signal: AbortSignal;
}

/** One line of the answer (jsonmessage). */
export type BuildMessage =
  | { stream: string }
  | { status: string; id?: string; progressDetail?: { current?: number; total?: number } }
  | { aux: { ID: string } }
  /** BuildKit's Status messages for `version=2`, as base64 of the protobuf. */
  | { id: 'moby.buildkit.trace'; aux: string };

/** A row of `docker buildx du` and of `docker system df -v`. */
export interface CacheRecord {
  id: string;
  parents: string[];
  type:
    | 'internal'
    | 'frontend'
    | 'source.local'
    | 'source.git.checkout'
    | 'exec.cachemount'
    | 'regular';
  description: string;
  inUse: boolean;
  shared: boolean;
  sizeBytes: number;
  createdAt: Date;
  lastUsedAt?: Date;
  usageCount: number;
}

export interface PruneRequest {
  /** Cache mounts and what is shared with images too. */
  all: boolean;
  /** Keeps the most recently used up to this; 0 keeps nothing. */
  keepBytes: number;
  /** Docker's filters: `until`, `id`, `type`, `inuse`, `description` … */
  filters: Record<string, string[]>;
}
