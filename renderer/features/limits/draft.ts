/** The limits that the page shows, and what must be sent when some of them change. */
import type { IoDeviceLimits, Limits } from '../../../agent/contract/limits.ts';

export interface Draft {
  cpus: number | undefined;
  cpuShares: number | undefined;
  cpuset: string;
  memoryBytes: number | undefined;
  /** Swap alone; undefined leaves the engine's default. */
  swapBytes: number | undefined;
  pids: number | undefined;
  devices: DeviceDraft[];
}

export interface DeviceDraft {
  device: string;
  readBytesPerSecond: number | undefined;
  writeBytesPerSecond: number | undefined;
}

const periodMicros = 100_000;

export function toDraft(limits: Limits): Draft {
  const { cpu, memory, pids, io } = limits;
  const max = memory?.maxBytes ?? undefined;
  const withSwap = memory?.maxWithSwapBytes ?? undefined;
  return {
    cpus: cpu?.quotaMicros ? cpu.quotaMicros / (cpu.periodMicros ?? periodMicros) : undefined,
    cpuShares: cpu?.shares ?? undefined,
    cpuset: cpu?.cpus ?? '',
    memoryBytes: max,
    swapBytes:
      max === undefined || withSwap === undefined || withSwap < 0 ? undefined : withSwap - max,
    pids: pids ?? undefined,
    devices: (io?.devices ?? []).map((device) => ({
      device: device.device,
      readBytesPerSecond: device.readBytesPerSecond ?? undefined,
      writeBytesPerSecond: device.writeBytesPerSecond ?? undefined,
    })),
  };
}

/** What differs, as the engine wants it: absent stays, `null` takes a limit away. Undefined: nothing. */
export function toChange(before: Draft, after: Draft): Limits | undefined {
  const change: Limits = {};
  const cpu = {
    ...(before.cpus !== after.cpus && quota(after.cpus)),
    ...(before.cpuShares !== after.cpuShares && { shares: after.cpuShares ?? null }),
    ...(before.cpuset !== after.cpuset && { cpus: after.cpuset || null }),
  };
  if (Object.keys(cpu).length > 0) change.cpu = cpu;
  if (before.memoryBytes !== after.memoryBytes || before.swapBytes !== after.swapBytes)
    change.memory = {
      maxBytes: after.memoryBytes ?? null,
      // The kernel refuses memory above memory+swap: both go together, always.
      maxWithSwapBytes:
        after.memoryBytes === undefined || after.swapBytes === undefined
          ? null
          : after.memoryBytes + after.swapBytes,
    };
  if (before.pids !== after.pids) change.pids = after.pids ?? null;
  const devices = changedDevices(before.devices, after.devices);
  if (devices.length > 0) change.io = { devices };
  return Object.keys(change).length > 0 ? change : undefined;
}

function quota(cpus: number | undefined) {
  return cpus === undefined
    ? { quotaMicros: null }
    : { quotaMicros: Math.round(cpus * periodMicros), periodMicros };
}

function changedDevices(before: DeviceDraft[], after: DeviceDraft[]): IoDeviceLimits[] {
  const names = new Set([...before, ...after].map(({ device }) => device).filter(Boolean));
  return [...names].flatMap((device) => {
    const old = before.find((one) => one.device === device);
    const now = after.find((one) => one.device === device);
    const same =
      old?.readBytesPerSecond === now?.readBytesPerSecond &&
      old?.writeBytesPerSecond === now?.writeBytesPerSecond;
    if (same) return [];
    return {
      device,
      readBytesPerSecond: now?.readBytesPerSecond ?? null,
      writeBytesPerSecond: now?.writeBytesPerSecond ?? null,
    };
  });
}
