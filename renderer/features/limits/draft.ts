/** The limits that the page shows, and what must be sent when some of them change. */
import type { CpuLimits, Limits, MemoryLimits } from '../../../agent/contract/limits.ts';
import {
  changedDevices,
  changedPages,
  type DeviceDraft,
  type PagesDraft,
  toDevices,
  toPages,
} from './draft-lists.ts';

export interface Draft {
  cpus: number | undefined;
  cpuShares: number | undefined;
  cpuset: string;
  /** CPU time that may be saved up, in milliseconds. */
  burstMs: number | undefined;
  memoryBytes: number | undefined;
  /** Swap alone; undefined leaves the engine's default. */
  swapBytes: number | undefined;
  reservationBytes: number | undefined;
  highBytes: number | undefined;
  /** Undefined: as the machine does it. */
  oomGroup: boolean | undefined;
  pids: number | undefined;
  openFiles: number | undefined;
  /** Bytes a second. */
  egress: number | undefined;
  ingress: number | undefined;
  logBytes: number | undefined;
  logFiles: number | undefined;
  /** Of the container's own files. */
  diskBytes: number | undefined;
  diskInodes: number | undefined;
  ioWeight: number | undefined;
  devices: DeviceDraft[];
  pages: PagesDraft[];
}

const periodMicros = 100_000;

export function toDraft(limits: Limits): Draft {
  const { cpu, memory, pids, io, network, log } = limits;
  const max = memory?.maxBytes ?? undefined;
  const withSwap = memory?.maxWithSwapBytes ?? undefined;
  return {
    cpus: cpu?.quotaMicros ? cpu.quotaMicros / (cpu.periodMicros ?? periodMicros) : undefined,
    cpuShares: cpu?.shares ?? undefined,
    cpuset: cpu?.cpus ?? '',
    burstMs: cpu?.burstMicros ? cpu.burstMicros / 1000 : undefined,
    memoryBytes: max,
    swapBytes:
      max === undefined || withSwap === undefined || withSwap < 0 ? undefined : withSwap - max,
    reservationBytes: memory?.reservationBytes ?? undefined,
    highBytes: memory?.highBytes ?? undefined,
    oomGroup: memory?.oomGroup ?? undefined,
    pids: pids ?? undefined,
    openFiles: limits.openFiles ?? undefined,
    egress: network?.egressBytesPerSecond ?? undefined,
    ingress: network?.ingressBytesPerSecond ?? undefined,
    logBytes: log?.maxBytes ?? undefined,
    logFiles: log?.maxFiles ?? undefined,
    diskBytes: limits.disk?.maxBytes ?? undefined,
    diskInodes: limits.disk?.maxInodes ?? undefined,
    ioWeight: io?.weight ?? undefined,
    devices: toDevices(io?.devices),
    pages: toPages(limits.hugetlb),
  };
}

/** What differs, as the engine wants it: absent stays, `null` takes a limit away. Undefined: nothing. */
export function toChange(before: Draft, after: Draft): Limits | undefined {
  /** `{[name]: value}` when the draft's field differs, null for none. */
  const changed = <N extends string>(field: keyof Draft, name: N) =>
    before[field] === after[field] ? {} : { [name]: after[field] ?? null };
  const devices = changedDevices(before.devices, after.devices);
  const pages = changedPages(before.pages, after.pages);
  const change: Limits = {
    cpu: cpuChange(before, after),
    memory: {
      ...memoryMaximums(before, after),
      ...changed('reservationBytes', 'reservationBytes'),
      ...changed('highBytes', 'highBytes'),
      ...changed('oomGroup', 'oomGroup'),
    },
    ...changed('pids', 'pids'),
    disk: { ...changed('diskBytes', 'maxBytes'), ...changed('diskInodes', 'maxInodes') },
    io: { ...changed('ioWeight', 'weight'), ...(devices.length > 0 && { devices }) },
    ...(pages.length > 0 && { hugetlb: pages }),
    network: {
      ...changed('egress', 'egressBytesPerSecond'),
      ...changed('ingress', 'ingressBytesPerSecond'),
    },
    ...changed('openFiles', 'openFiles'),
    log: { ...changed('logBytes', 'maxBytes'), ...changed('logFiles', 'maxFiles') },
  };
  const named = Object.entries(change).filter(
    ([, part]) => part === null || typeof part !== 'object' || Object.keys(part).length > 0,
  );
  return named.length > 0 ? Object.fromEntries(named) : undefined;
}

function cpuChange(before: Draft, after: Draft): CpuLimits {
  return {
    ...(before.cpus !== after.cpus && quota(after.cpus)),
    ...(before.cpuShares !== after.cpuShares && { shares: after.cpuShares ?? null }),
    ...(before.cpuset !== after.cpuset && { cpus: after.cpuset || null }),
    ...(before.burstMs !== after.burstMs && {
      burstMicros: after.burstMs === undefined ? null : Math.round(after.burstMs * 1000),
    }),
  };
}

function quota(cpus: number | undefined): CpuLimits {
  return cpus === undefined
    ? { quotaMicros: null }
    : { quotaMicros: Math.round(cpus * periodMicros), periodMicros };
}

/** The kernel refuses memory above memory+swap: both go together, always. */
function memoryMaximums(before: Draft, after: Draft): MemoryLimits {
  if (before.memoryBytes === after.memoryBytes && before.swapBytes === after.swapBytes) return {};
  return {
    maxBytes: after.memoryBytes ?? null,
    maxWithSwapBytes:
      after.memoryBytes === undefined || after.swapBytes === undefined
        ? null
        : after.memoryBytes + after.swapBytes,
  };
}
