/** When a process gets the processor and the disk: sched_setattr(2), ioprio_set(2). */
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import type { OciProcess } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { changeTurns } from '../kernel/priority.ts';
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
 * What a container's process asks of the scheduler when nothing else is asked for: turns of
 * `sliceMicros`, which all that it starts inherits. Linux before 6.12 accepts it and does nothing.
 */
export function inShortTurns(process: OciProcess, sliceMicros: number | undefined): OciProcess {
  if (sliceMicros === undefined || process.scheduler !== undefined) return process;
  // What is begun by a favoured thread begins at 0 (kernel/priority.ts), and stays there.
  const nice = Math.max(0, getPriority());
  return { ...process, scheduler: { policy: 'SCHED_OTHER', nice, runtime: sliceMicros * 1000 } };
}

/** The shortest that the kernel has (kernel/sched/syscalls.c). */
export const shortestSliceMicros = 100;
/** As much of a turn as the kernel lets nobody take away (sysctl_sched_base_slice). */
const keptMicros = 700;
/** Of the others' turns: any less will do, and a burst should fit into one. */
const shorter = 0.7;
/** Each costs a look; who has more of them has other worries. */
const mostProcesses = 256;

/**
 * Whoever has shorter turns interrupts those with longer ones at once. Threads whose turns are not those that
 * {@link inShortTurns} gave them, or this did, keep theirs.
 */
export function changeTurnsOf(
  processes: readonly number[],
  turns: 'own' | 'shorter',
  sliceMicros: number,
): void {
  if (turns === 'shorter' && processes.length > mostProcesses) return;
  const shorterMicros = Math.max(
    shortestSliceMicros,
    Math.min(keptMicros, Math.round(shorter * sliceMicros)),
  );
  const [from, to] =
    turns === 'shorter' ? [sliceMicros, shorterMicros] : [shorterMicros, sliceMicros];
  for (const thread of processes.flatMap(threadsOf))
    try {
      changeTurns(thread, from, to);
    } catch (error) {
      // Without root a container's users are others than the agent's.
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
