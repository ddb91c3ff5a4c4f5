/** What the container routes need from the engine. */
import type { Readable, Writable } from 'node:stream';
import type {
  ContainerSettings,
  ContainerStatus,
  ContainerView,
  CreateOrigin,
  RestartPolicy,
} from '../../contract/container.ts';
import type { IsolationReport } from '../../contract/isolation.ts';
import type { Limits, SpaceUsage, Usage } from '../../contract/limits.ts';

export interface ContainersBackend {
  create(request: CreateRequest): Promise<{ id: string; warnings: string[] }>;
  /** By full id, name (with or without `/`) or unambiguous prefix; not-found, or invalid if several. */
  inspect(reference: string): ContainerView;
  list(): ContainerView[];
  start(reference: string, options?: { detachKeys?: string }): Promise<void>;
  stop(reference: string, options: { signal?: string; timeoutSeconds?: number }): Promise<void>;
  restart(reference: string, options: { signal?: string; timeoutSeconds?: number }): Promise<void>;
  kill(reference: string, signal?: string): Promise<void>;
  pause(reference: string): Promise<void>;
  unpause(reference: string): Promise<void>;
  rename(reference: string, name: string): Promise<void>;
  remove(reference: string, options: { force: boolean; volumes: boolean }): Promise<void>;
  /**
   * Answers the limits as they are then, and what somebody should know about them. A dry run checks
   * and answers the same, and changes nothing; what only the kernel can refuse is not noticed.
   */
  update(
    reference: string,
    change: { limits: Limits; restart?: RestartPolicy; dryRun?: boolean },
  ): Promise<{ limits: Limits; warnings: string[] }>;
  /**
   * Resolves when the condition holds; for a container that is already removed, by its full id, at
   * once with how it ended. Registered before it returns; not-found rejects without delay.
   */
  wait(reference: string, condition: WaitCondition, signal: AbortSignal): Promise<WaitResult>;
  /** Docker's `ps` columns for every process inside. */
  top(reference: string, psArguments: string): Promise<{ titles: string[]; processes: string[][] }>;
  usage(reference: string): Promise<ContainerUsage>;
  /** What it is kept from and by what: as the kernel has it, or what a start would ask for. */
  isolation(reference: string): Promise<IsolationReport>;
  /** Of the writable layer, without a walk; undefined when nothing counts it. */
  diskUsage(reference: string): Promise<SpaceUsage | undefined>;
  resize(reference: string, rows: number, columns: number): Promise<void>;
  attach(reference: string, options: AttachOptions): Promise<Attachment>;
  /** Log records in order; ends at the end of the log, or with the container when following. */
  logs(reference: string, options: LogOptions): AsyncIterable<LogRecord>;
  /** Writable layer's and whole root's size; costs a walk. */
  size(reference: string): Promise<{ rwBytes: number; rootFsBytes: number }>;
  /** What differs from the image. */
  changes(reference: string): Promise<{ path: string; kind: 'modified' | 'added' | 'deleted' }[]>;
  /** The container's whole root as a tar archive. */
  exportArchive(reference: string): Promise<Readable>;
  statPath(reference: string, path: string): Promise<PathStat>;
  /** A tar archive of one path; names inside begin with the path's last component. */
  readArchive(reference: string, path: string): Promise<{ stat: PathStat; archive: Readable }>;
  writeArchive(
    reference: string,
    path: string,
    archive: Readable,
    options: { noOverwriteDirectoryNonDirectory: boolean; copyUidGid: boolean },
  ): Promise<void>;
  prune(filter: {
    until?: Date;
    labels: LabelFilter[];
  }): Promise<{ deleted: string[]; reclaimedBytes: number }>;
}

export interface CreateRequest {
  /** Absent: the engine makes one up. */
  name?: string;
  settings: ContainerSettings;
  origin: CreateOrigin;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
  exitCode: number;
  error?: string;
}

export interface LabelFilter {
  key: string;
  value?: string;
  negated: boolean;
}

export interface ContainerUsage extends Usage {
  readAt: Date;
  status: ContainerStatus;
  /** Whole machine, for the CPU percentage: nanoseconds since boot, and CPUs the container may use. */
  systemCpuNanos: number;
  onlineCpus: number;
  networks: Record<string, NetworkUsage>;
}

export interface NetworkUsage {
  rxBytes: number;
  rxPackets: number;
  rxErrors: number;
  rxDropped: number;
  txBytes: number;
  txPackets: number;
  txErrors: number;
  txDropped: number;
}

export interface AttachOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Send what was logged before. */
  logs: boolean;
  /** Keep sending. */
  stream: boolean;
}

export interface Attachment {
  /** Whether output is one raw terminal stream rather than framed stdout and stderr. */
  terminal: boolean;
  /** Present when stdin was asked for and is open. Ending it is the half-close. */
  stdin: Writable | undefined;
  /** Ends when the container does. */
  output: AsyncIterable<OutputChunk>;
  close(): void;
}

export interface OutputChunk {
  stream: 'stdout' | 'stderr';
  data: Buffer;
}

export interface LogRecord extends OutputChunk {
  /** One line (or a piece of a very long one), newline included. */
  time: Date;
  /** Nanoseconds within `time`'s second, for RFC 3339 with nine digits. */
  nanos: number;
}

export interface LogOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  /** Undefined: all. */
  tail?: number;
  since?: Date;
  until?: Date;
  signal: AbortSignal;
}

export interface PathStat {
  name: string;
  sizeBytes: number;
  /** POSIX st_mode. */
  mode: number;
  modifiedAt: Date;
  linkTarget: string;
}
