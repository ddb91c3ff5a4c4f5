/**
 * The shim's plan: the steps of its child, in order, until execve. The steps hold all policy; the
 * shim only carries them out. On the wire each step is `tag u32, length u32, bytes`, little-endian,
 * padded to 8 bytes. agent/shim/shim.h has the same numbers.
 */

import { PlanWriter } from './plan-writer.ts';

/** Descriptors of the shim, as in shim.h. */
export const ShimFd = {
  plan: 3,
  alive: 4,
  runDirectory: 5,
  logDirectory: 6,
  input: 7,
  out: 8,
  err: 9,
  proc: 10,
  child: 11,
  firstFree: 15,
} as const;

/** What the shim itself does beside starting its child. */
export interface ShimConfig {
  /** CLONE_NEW* flags of the child. */
  cloneFlags: number;
  /** Descriptor of the v2 cgroup directory in which the child is born (CLONE_INTO_CGROUP). */
  cgroupFd: number | undefined;
  /** A pid namespace to join instead of a new one. */
  pidNamespaceFd: number | undefined;
  /** Whether the shim keeps `ShimFd.input` open for a later agent. */
  input: boolean;
  /** Whether the shim reads the child's output. */
  output: boolean;
  /** Whether the child has a terminal. */
  terminal: boolean;
  /** Whether the child starts the process that stays (the `user` step with flags). */
  moves: boolean;
  log: { firstFile: number; maxBytes: number; maxFiles: number } | undefined;
  /** Whether the shim ends once the child runs and leaves it to the caller (agent/oci). */
  leave?: boolean;
  /**
   * The read end of a pipe. The shim makes its child when a byte comes, and ends when the writer
   * has gone.
   */
  gate?: number;
}

/** One step of the child. Descriptor numbers are those in the shim. */
export type Step =
  | { do: 'write'; fd: number; text: string }
  | { do: 'procWrite'; path: string; text: string }
  | { do: 'setns'; fd: number; flag: number }
  | { do: 'unshare'; flags: number }
  /** `undefined` means the container's own /dev/null. */
  | { do: 'stdio'; fds: readonly (number | undefined)[] }
  | { do: 'ownStdio'; uid: number; gid: number }
  | { do: 'session'; terminal: boolean }
  /** `replaces` unmounts what is at the path first. */
  | { do: 'mountProc'; attributes: number; path: string; replaces: boolean }
  | { do: 'attach'; fd: number; path: string }
  | { do: 'mask'; path: string }
  | { do: 'readonly'; path: string }
  /**
   * `keep`, in ascending order, become `firstFree` and following. All others except stdio are
   * closed.
   */
  | { do: 'close'; keep?: readonly number[] }
  /**
   * The last step of a prestarted plan. The rest comes by `socket` (encodeRest) together with
   * descriptors that become `first` and following, the first numbers that the plan does not use.
   */
  | { do: 'rest'; socket: number; first: number }
  /**
   * Continues when a byte can be read from `gate`. With `reports` the shim regards the child as
   * started, and later failures are written there.
   */
  | { do: 'wait'; gate: number; reports: number | undefined }
  /** `attributes` are set on the root before the pivot, `propagation` after it. */
  | {
      do: 'pivot';
      fd: number;
      attributes: number;
      propagation: bigint;
      recursive: boolean;
      /** Mounts the new root on top of the old one instead of replacing it. */
      covers: boolean;
    }
  /** Makes a tree that is attached nowhere the root. */
  | { do: 'enterRoot'; fd: number }
  /** Enters a mount namespace where the root is prepared for a process that belongs in another. */
  | { do: 'borrowMounts'; fd: number }
  /** Leaves that namespace. The root becomes a detached copy of the prepared one. */
  | { do: 'carryRoot' }
  /** Mounts what is at `path` again, so that it is listed after earlier mounts. */
  | { do: 'renew'; path: string }
  | { do: 'unbindable'; path: string; recursive: boolean }
  | { do: 'scheduler'; attributes: Buffer }
  | { do: 'ioPriority'; priority: number }
  /** Makes a time namespace with `offsets` in the format of /proc/<pid>/timens_offsets. */
  | { do: 'time'; offsets: string }
  | { do: 'personality'; domain: number }
  | { do: 'affinity'; mask: Buffer }
  | { do: 'chdir'; path: string }
  /** `raiseOnly` only raises a hard limit that is lower than `hard`. */
  | {
      do: 'rlimit';
      name: string;
      resource: number;
      soft: bigint;
      hard: bigint;
      raiseOnly: boolean;
    }
  | { do: 'keyring' }
  | { do: 'umask'; mask: number }
  | { do: 'groups'; ids: readonly number[] }
  | { do: 'bounding'; set: bigint }
  | { do: 'ids'; uid: number; gid: number }
  | { do: 'capabilities'; effective: bigint; permitted: bigint; inheritable: bigint }
  | { do: 'ambient'; set: bigint }
  | { do: 'noNewPrivileges' }
  /** With a listener the child waits at `gate` and reports the listener's descriptor number. */
  | { do: 'seccomp'; flags: number; filter: Buffer; gate?: number }
  /**
   * Enters a user namespace as its root. With flags the remaining steps are done by a process born
   * there.
   */
  | { do: 'user'; fd: number; cloneFlags: number }
  | {
      do: 'exec';
      init: boolean;
      /** Absent means the first of `args`. */
      program?: string;
      args: readonly string[];
      env: readonly string[];
      /** Descriptors that stay open as 3 and following. */
      preserved?: { first: number; count: number };
    };

const version = 1;
const startTag = 1;

const tags: Record<Step['do'], number> = {
  write: 2,
  procWrite: 3,
  setns: 4,
  unshare: 5,
  session: 6,
  stdio: 7,
  mountProc: 8,
  attach: 9,
  mask: 10,
  readonly: 11,
  close: 12,
  chdir: 13,
  rlimit: 14,
  keyring: 15,
  umask: 16,
  groups: 17,
  bounding: 18,
  ids: 19,
  capabilities: 20,
  ambient: 21,
  noNewPrivileges: 22,
  seccomp: 23,
  ownStdio: 24,
  exec: 25,
  user: 26,
  wait: 64,
  pivot: 65,
  scheduler: 66,
  ioPriority: 67,
  renew: 68,
  unbindable: 69,
  enterRoot: 70,
  time: 71,
  personality: 72,
  affinity: 73,
  borrowMounts: 74,
  carryRoot: 75,
  rest: 96,
};

const Io = { input: 1, out: 2, err: 4, terminal: 8, log: 16, leave: 32, moves: 64 } as const;

/** The shim's reports count steps from 1; 0 is the shim itself. */
export function encodePlan(shimConfig: ShimConfig, steps: readonly Step[]): Buffer {
  const plan = new PlanWriter();
  plan.record(startTag, () => writeShimConfig(plan, shimConfig));
  for (const step of steps) plan.record(tags[step.do], () => writeStep(plan, step));
  return plan.bytes();
}

/** Encodes the steps after a `rest` step. Reports continue its count. */
export function encodeRest(steps: readonly Step[]): Buffer {
  const plan = new PlanWriter();
  for (const step of steps) plan.record(tags[step.do], () => writeStep(plan, step));
  return plan.bytes();
}

function writeShimConfig(plan: PlanWriter, shimConfig: ShimConfig): void {
  const output = shimConfig.output ? (shimConfig.terminal ? Io.out : Io.out | Io.err) : 0;
  const io =
    output |
    (shimConfig.input ? Io.input : 0) |
    (shimConfig.terminal ? Io.terminal : 0) |
    (shimConfig.moves ? Io.moves : 0) |
    (shimConfig.log === undefined ? 0 : Io.log) |
    (shimConfig.leave ? Io.leave : 0);
  plan.u32(version);
  plan.u32(shimConfig.cloneFlags);
  plan.i32(shimConfig.cgroupFd ?? -1);
  plan.i32(shimConfig.pidNamespaceFd ?? -1);
  plan.u32(io);
  plan.u32(shimConfig.log?.firstFile ?? 0);
  plan.u64(BigInt(shimConfig.log?.maxBytes ?? 0));
  plan.u32(shimConfig.log?.maxFiles ?? 0);
  // 0 is the shim's own stdin and means no gate.
  plan.u32(shimConfig.gate ?? 0);
}

function writeStep(plan: PlanWriter, step: Step): void {
  switch (step.do) {
    case 'write':
      plan.u32(step.fd);
      plan.characters(step.text);
      break;
    case 'procWrite':
      plan.text(step.path);
      plan.characters(step.text);
      break;
    case 'setns':
      plan.u32(step.fd);
      plan.u32(step.flag);
      break;
    case 'rest':
      plan.u32(step.socket);
      plan.u32(step.first);
      break;
    case 'enterRoot':
    case 'borrowMounts':
      plan.u32(step.fd);
      break;
    case 'unshare':
      plan.u32(step.flags);
      break;
    case 'stdio':
      for (const fd of step.fds) plan.i32(fd ?? -1);
      break;
    case 'ownStdio':
    case 'ids':
      plan.u32(step.uid);
      plan.u32(step.gid);
      break;
    case 'session':
      plan.u32(step.terminal ? 1 : 0);
      break;
    case 'mountProc':
      plan.u32(step.attributes);
      plan.u32(step.replaces ? 1 : 0);
      plan.text(step.path);
      break;
    case 'attach':
      plan.u32(step.fd);
      plan.text(step.path);
      break;
    case 'mask':
    case 'readonly':
    case 'chdir':
    case 'renew':
      plan.text(step.path);
      break;
    case 'rlimit':
      plan.u32(step.resource);
      plan.u32(step.raiseOnly ? 1 : 0);
      plan.u64(step.soft);
      plan.u64(step.hard);
      break;
    case 'user':
      plan.u32(step.fd);
      plan.u32(step.cloneFlags);
      break;
    case 'umask':
      plan.u32(step.mask);
      break;
    case 'groups':
      for (const one of step.ids) plan.u32(one);
      break;
    case 'bounding':
    case 'ambient':
      plan.u64(step.set);
      break;
    case 'capabilities':
      plan.u64(step.effective);
      plan.u64(step.permitted);
      plan.u64(step.inheritable);
      break;
    case 'seccomp':
      plan.u32(step.flags);
      plan.u32(step.gate ?? 0);
      plan.raw(step.filter);
      break;
    case 'exec':
      plan.u32(step.init ? 1 : 0);
      plan.u32(step.preserved?.first ?? 0);
      plan.u32(step.preserved?.count ?? 0);
      plan.text(step.program ?? step.args[0] ?? '');
      plan.list(step.args);
      plan.list(step.env);
      break;
    case 'close':
      for (const one of step.keep ?? []) plan.u32(one);
      break;
    case 'wait':
      plan.u32(step.gate);
      plan.i32(step.reports ?? -1);
      break;
    case 'pivot':
      plan.u32(step.fd);
      plan.u32(step.covers ? 1 : 0);
      plan.u64(BigInt(step.attributes));
      plan.u64(step.propagation);
      plan.u64(step.recursive ? 1n : 0n);
      break;
    case 'unbindable':
      plan.u32(step.recursive ? 1 : 0);
      plan.text(step.path);
      break;
    case 'scheduler':
      plan.raw(step.attributes);
      break;
    case 'time':
      plan.characters(step.offsets);
      break;
    case 'personality':
      plan.u32(step.domain);
      break;
    case 'affinity':
      plan.raw(step.mask);
      break;
    case 'ioPriority':
      plan.u32(step.priority);
      break;
    case 'keyring':
    case 'carryRoot':
    case 'noNewPrivileges':
      break;
  }
}
