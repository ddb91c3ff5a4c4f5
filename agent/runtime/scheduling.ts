/** When a process gets the processor and the disk: sched_setattr(2), ioprio_set(2). */
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import type { OciProcess } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { changeTimeSlice } from '../kernel/priority.ts';
import { encodeScheduler, type SchedulerAttributes } from '../kernel/scheduler-attributes.ts';
import type { Step } from './plan.ts';

/** include/uapi/linux/sched.h; 4 is reserved. */
const policies: Record<string, number> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};

const schedulerFlags: Record<string, number> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};

/** ioprio_set(2): the class lies above 13 bits of level. */
const ioClasses: Record<string, number> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
};

export function schedulingSteps({ scheduler, ioPriority }: OciProcess): Step[] {
  return [
    ...(scheduler
      ? [{ do: 'scheduler', attributes: encodeScheduler(attributesOf(scheduler)) } as const]
      : []),
    ...(ioPriority ? [{ do: 'ioPriority', priority: encodeIoPriority(ioPriority) } as const] : []),
  ];
}

/**
 * Gives a container's process a time slice of `sliceMicros`, unless it asks for a scheduler of its own. Its children
 * inherit it. Linux before 6.12 accepts it and does nothing (sched_setattr(2), sched_runtime).
 */
export function withTimeSlice(process: OciProcess, sliceMicros: number | undefined): OciProcess {
  if (sliceMicros === undefined || process.scheduler !== undefined) return process;
  // The agent's own nice value is reset to 0 in its children (kernel/priority.ts).
  const nice = Math.max(0, getPriority());
  return { ...process, scheduler: { policy: 'SCHED_OTHER', nice, runtime: sliceMicros * 1000 } };
}

/** The shortest that the kernel has (kernel/sched/syscalls.c). */
export const shortestSliceMicros = 100;
/** The kernel protects a running task for so long (sysctl_sched_base_slice). */
const protectedMicros = 700;
/** Of the default slice: a thread with a shorter slice preempts those with a longer one, and a burst should fit in it. */
const shortShare = 0.7;
/** Reading one process costs a few system calls. */
const mostProcesses = 256;

/**
 * Changes the time slice of all threads of `processes` between the default of {@link withTimeSlice} and a short one.
 * A thread with a shorter slice preempts those with longer ones at once (PREEMPT_SHORT, Linux 6.12). Threads with
 * another slice than these two have set it themselves and keep it.
 */
export function changeTimeSlices(
  processes: readonly number[],
  slice: 'default' | 'short',
  sliceMicros: number,
): void {
  if (slice === 'short' && processes.length > mostProcesses) return;
  const shortMicros = Math.max(
    shortestSliceMicros,
    Math.min(protectedMicros, Math.round(shortShare * sliceMicros)),
  );
  const [from, to] = slice === 'short' ? [sliceMicros, shortMicros] : [shortMicros, sliceMicros];
  for (const thread of processes.flatMap(threadsOf))
    try {
      changeTimeSlice(thread, from, to);
    } catch (error) {
      // The thread has ended, or belongs to another user and the agent is not root.
      if (!hasErrno(error, 'ESRCH', 'EPERM')) throw error;
    }
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}

/** As many processors as the kernel can be built for (CONFIG_NR_CPUS). */
const mostProcessors = 8192;

/** `list` as cpuset(7) writes it: `0-2,5`. Throws invalid for one that is none. */
export function affinitySteps(list: string | undefined): Step[] {
  if (!list) return [];
  const mask = Buffer.alloc(mostProcessors / 8);
  let last = 0;
  for (const range of list.split(',')) {
    const [, from, to = from] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(range) ?? [];
    const [first, end] = [Number(from), Number(to)];
    if (!(first <= end && end < mostProcessors))
      throw invalid(`"${list}" is no list of processors; write it as 0-2,5`);
    for (let cpu = first; cpu <= end; cpu++) mask[cpu >> 3]! |= 1 << (cpu & 7);
    last = Math.max(last, end);
  }
  // The kernel reads whole words.
  return [{ do: 'affinity', mask: mask.subarray(0, ((last >> 6) + 1) * 8) }];
}

function attributesOf(scheduler: NonNullable<OciProcess['scheduler']>): SchedulerAttributes {
  const policy = policies[scheduler.policy];
  if (policy === undefined) throw invalid(`unknown scheduler policy "${scheduler.policy}"`);
  return {
    policy,
    flags: BigInt((scheduler.flags ?? []).reduce(addFlag, 0)),
    nice: scheduler.nice ?? 0,
    priority: scheduler.priority ?? 0,
    runtime: BigInt(scheduler.runtime ?? 0),
    deadline: BigInt(scheduler.deadline ?? 0),
    period: BigInt(scheduler.period ?? 0),
  };
}

function addFlag(flags: number, name: string): number {
  const flag = schedulerFlags[name];
  if (flag === undefined) throw invalid(`unknown scheduler flag "${name}"`);
  return flags | flag;
}

function encodeIoPriority({ class: name, priority }: NonNullable<OciProcess['ioPriority']>) {
  const number = ioClasses[name];
  if (number === undefined) throw invalid(`unknown IO priority class "${name}"`);
  if (!Number.isInteger(priority) || priority < 0 || priority > 7)
    throw invalid(`IO priority ${priority} is not one of 0 to 7`);
  return (number << 13) | priority;
}
