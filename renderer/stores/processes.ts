/**
 * The machine's processes, read every two seconds while somebody looks and the window is visible.
 * What uses the CPU is told from two readings.
 */
import { create } from 'zustand';
import type { Limits } from '../../agent/contract/limits.ts';
import type { MachineProcesses, ProcessFigure } from '../../agent/contract/processes.ts';
import { getProcesses } from '../bridge/system.ts';
import { perMachine } from './per-machine.ts';
import { messageOf } from './sentence.ts';

export interface Userspace {
  cpus: number;
  memoryBytes: number;
  /** In use on the whole machine; CPUs are undefined until the second reading. */
  usedCpus: number | undefined;
  usedMemoryBytes: number;
  owners: Owner[];
}

/** The machine itself, or a container, with its processes. */
export interface Owner {
  key: string;
  container: { id: string; name: string; limits: Limits } | undefined;
  cpus: number;
  memoryBytes: number;
  processCount: number;
  processes: OwnedProcess[];
}

export interface OwnedProcess {
  pid: number;
  parentPid: number;
  name: string;
  cpus: number;
  memoryBytes: number;
}

export const useProcesses = perMachine(
  create<{
    userspace: Userspace | undefined;
    error: string | undefined;
  }>()(() => ({ userspace: undefined, error: undefined })),
);

const intervalMs = 2000;
/** The first reading knows no rates: the second one follows soon. */
const firstIntervalMs = 700;

/** Reads until the returned function is called. */
export function watchProcesses(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  let before: MachineProcesses | undefined;
  const read = async () => {
    if (!document.hidden)
      try {
        const now = await getProcesses();
        if (over) return;
        useProcesses.setState({ userspace: userspaceOf(now, before), error: undefined });
        timer = setTimeout(read, before ? intervalMs : firstIntervalMs);
        before = now;
        return;
      } catch (error) {
        if (over) return;
        useProcesses.setState({ error: messageOf(error) });
      }
    timer = setTimeout(read, intervalMs);
  };
  void read();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

/** Figures of one reading, with rates since the one before. */
export function userspaceOf(
  now: MachineProcesses,
  before: MachineProcesses | undefined,
): Userspace {
  const nanos = before ? (Date.parse(now.readAt) - Date.parse(before.readAt)) * 1e6 : 0;
  // A counter that fell belongs to something that began anew.
  const rate = (after: number | undefined, earlier: number | undefined) =>
    nanos > 0 && after !== undefined && earlier !== undefined && after > earlier
      ? (after - earlier) / nanos
      : 0;
  const earlier = new Map(
    before?.groups.flatMap(({ processes }) => processes.map((one) => [keyOf(one), one.cpuNanos])),
  );
  const owners = now.groups.map((group): Owner => {
    const past = before?.groups.find(({ container }) => container?.id === group.container?.id);
    return {
      key: group.container?.id ?? 'machine',
      container: group.container,
      cpus: rate(group.cpuNanos, past?.cpuNanos),
      memoryBytes: group.memoryBytes ?? 0,
      processCount: group.processCount,
      processes: group.processes.map((one) => ({
        pid: one.pid,
        parentPid: one.parentPid,
        name: one.name,
        // One that was not there before has used all of its time since.
        cpus: before ? rate(one.cpuNanos, earlier.get(keyOf(one)) ?? 0) : 0,
        memoryBytes: one.residentBytes,
      })),
    };
  });
  const usedCpus = before ? rate(now.busyCpuNanos, before.busyCpuNanos) : undefined;
  return {
    cpus: now.cpus,
    memoryBytes: now.memoryBytes,
    usedCpus,
    usedMemoryBytes: now.usedMemoryBytes,
    owners: owners.map((owner) => (owner.container ? owner : withRest(owner))),
  };

  /** What no container uses is the machine's own, its kernel's included. */
  function withRest(machine: Owner): Owner {
    const others = owners.filter(({ container }) => container);
    const rest = (used: number, key: 'cpus' | 'memoryBytes') =>
      Math.max(0, used - others.reduce((sum, owner) => sum + owner[key], 0));
    return {
      ...machine,
      cpus: rest(usedCpus ?? 0, 'cpus'),
      memoryBytes: rest(now.usedMemoryBytes, 'memoryBytes'),
    };
  }
}

/** A number alone may be another process's by now. */
function keyOf({ pid, startTicks }: ProcessFigure): string {
  return `${pid} ${startTicks}`;
}
