/** Declares what the container routes need of the engine. */
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
  /**
   * Finds by full ID, name (with or without `/`) or unique prefix. Throws not-found, or invalid for an ambiguous
   * prefix.
   */
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
   * Changes limits. Resolves with the limits after the change and with warnings. A dry run checks the change and
   * resolves with the same, but changes nothing; it does not notice what only the kernel can refuse.
   */
  update(
    reference: string,
    change: { limits: Limits; restart?: RestartPolicy; dryRun?: boolean },
  ): Promise<{ limits: Limits; warnings: string[] }>;
  /**
   * Resolves when the condition holds. For a container that was removed, given by its full ID, it resolves at once
   * with the exit. It is registered before it returns, and rejects with not-found at once.
   */
  wait(reference: string, condition: WaitCondition, signal: AbortSignal): Promise<WaitResult>;
  /** Columns of ps(1) for every process inside, as `docker top` shows them. */
  top(reference: string, psArguments: string): Promise<{ titles: string[]; processes: string[][] }>;
  usage(reference: string): Promise<ContainerUsage>;
  /** Isolation of the container: as the kernel has it when it runs, or as a start would set it up. */
  isolation(reference: string): Promise<IsolationReport>;
  /** Space that the writable layer uses, without a walk of its files; `undefined` when no quota counts it. */
  diskUsage(reference: string): Promise<SpaceUsage | undefined>;
  resize(reference: string, rows: number, columns: number): Promise<void>;
  attach(reference: string, options: AttachOptions): Promise<Attachment>;
  /** Log records in order. Ends at the end of the log or, when following, with the container. */
  logs(reference: string, options: LogOptions): AsyncIterable<LogRecord>;
  /** Size of the writable layer and of the whole root in bytes; walks all files. */
  size(reference: string): Promise<{ rwBytes: number; rootFsBytes: number }>;
  /** Differences from the image. */
  changes(reference: string): Promise<{ path: string; kind: 'modified' | 'added' | 'deleted' }[]>;
  /** The container's root as a tar archive. */
  exportArchive(reference: string): Promise<Readable>;
  statPath(reference: string, path: string): Promise<PathStat>;
  /** A tar archive of one path, in which names begin with the path's last component. */
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
  /** The engine generates a name when it is absent. */
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
  /**
   * CPU time of the machine since boot in nanoseconds, and the number of CPUs that the container may use; clients
   * compute the percentage.
   */
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
  /** Whether to send the log up to now. */
  logs: boolean;
  /** Whether to send further output. */
  stream: boolean;
}

export interface Attachment {
  /** Whether output is one raw terminal stream rather than framed stdout and stderr. */
  terminal: boolean;
  /** The process's stdin; `undefined` when it was not requested or is closed. Ending it is the half-close. */
  stdin: Writable | undefined;
  /** Output, which ends with the container. */
  output: AsyncIterable<OutputChunk>;
  close(): void;
}

export interface OutputChunk {
  stream: 'stdout' | 'stderr';
  data: Buffer;
}

export interface LogRecord extends OutputChunk {
  /** Time of the record, which is one line with its newline, or a part of a very long one. */
  time: Date;
  /** Nanoseconds within the second of `time`, for RFC 3339 with nine digits. */
  nanos: number;
}

export interface LogOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  /** Number of last lines; all when `undefined`. */
  tail?: number;
  since?: Date;
  until?: Date;
  signal: AbortSignal;
}

export interface PathStat {
  name: string;
  sizeBytes: number;
  /** The st_mode of inode(7). */
  mode: number;
  modifiedAt: Date;
  linkTarget: string;
}
