/**
 * Runs the process of a RUN step under the isolation and limits of containers. The engine implements it, since it has
 * the runtime, cgroups and networks; the builder knows only this.
 */
import type { Duplex } from 'node:stream';
import type { Limits } from '../../contract/limits.ts';
import type { Snapshot } from '../snapshots/snapshot.ts';

export interface StepRunner {
  /**
   * Resolves once the process and everything that it started have ended and nothing is mounted any more. Throws
   * StartError's message when the command cannot be executed, and the abort reason after killing it.
   */
  run(request: StepRequest): Promise<StepResult>;
}

export interface StepRequest {
  /** The root: an overlay whose changes go to `upper`. */
  rootfs: { lowers: string[]; upper: string; work: string };
  isRootReadOnly: boolean;
  process: {
    args: string[];
    env: string[];
    workingDirectory: string;
    /** As in a Dockerfile's USER: name or id, with a group after a colon. Empty: root. */
    user: string;
  };
  hostname?: string;
  mounts: StepMount[];
  network: 'default' | 'none' | 'host';
  /** `insecure`: all capabilities, no seccomp filter (`RUN --security=insecure`). */
  security: 'sandbox' | 'insecure';
  /** `name:address` lines of /etc/hosts. */
  extraHosts: string[];
  shmBytes?: number;
  ulimits: { name: string; soft: number; hard: number }[];
  limits: Limits;
  /** Called with output as it comes; a promise holds the process's pipe back until it resolves. */
  output(stream: 1 | 2, data: Buffer): void | Promise<void>;
  signal: AbortSignal;
}

/** Later mounts may lie inside earlier ones. */
export type StepMount = { target: string; readOnly: boolean } & (
  | {
      kind: 'tree';
      snapshot: Snapshot;
      /** A file or directory in the tree; `/` is all of it. Links in it are resolved inside the tree. */
      selector: string;
      /** Where changes go, and what was changed before; without it nothing can be. */
      writable?: { upper: string; work: string };
    }
  | { kind: 'directory'; path: string; selector: string }
  | { kind: 'tmpfs'; sizeBytes?: number }
  /** A secret: a file that is in no layer and on no disk. */
  | { kind: 'file'; content: Buffer; uid: number; gid: number; mode: number }
  /** An ssh agent's socket; each connection to it is given to `connect`. */
  | {
      kind: 'socket';
      uid: number;
      gid: number;
      mode: number;
      connect(): Promise<Duplex>;
    }
);

export interface StepResult {
  /** 0 to 255; 128 + signal when a signal ended it. */
  exitCode: number;
  /** The limit that ended it, in words; absent otherwise. */
  endedByLimit?: 'memory' | 'pids' | 'disk';
}
