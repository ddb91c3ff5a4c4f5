/** Warnings about a change of limits, for a dry run and for the change itself. */
import { statSync } from 'node:fs';
import {
  defaultPeriodMicros,
  type Limits,
  type NetworkRates,
  type SpaceUsage,
  type Usage,
} from '../../contract/limits.ts';
import type { PressureSample } from '../../contract/pressure.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { listSegments, segmentPath } from '../logs/log-file.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { mostOpenFiles } from './open-files.ts';
import type { RunningContainer } from './running-containers.ts';

/** Usage above this share of a limit counts as close to it. */
const close = 0.9;

export interface Facts {
  usage: Usage | undefined;
  /** The largest number of files that one process has open. */
  openFiles: number;
  logBytes: number;
  /** Usage of the writable layer. Undefined when the disk driver does not count. */
  disk?: SpaceUsage | undefined;
  /** Current network rates, in bytes per second. */
  network?: NetworkRates | undefined;
  /**
   * The sample of the last second. Undefined when the container does not run or has just started.
   */
  latest?: PressureSample | undefined;
}

/** Collects only the facts that the change is about. */
export function factsFor(
  change: Limits,
  record: ContainerRecord,
  live: RunningContainer | undefined,
): Facts {
  const counted = change.memory !== undefined || typeof change.pids === 'number';
  return {
    usage: counted ? live?.cgroup.usage() : undefined,
    openFiles: live && typeof change.openFiles === 'number' ? mostOpenFiles(live.cgroup) : 0,
    logBytes: change.log === undefined ? 0 : sizeOf(record.logDirectory),
  };
}

/** `limits` are the limits after the change; `change` holds only the new ones. */
export function limitWarnings(limits: Limits, change: Limits, facts: Facts): string[] {
  const { usage } = facts;
  return [
    ...(usage
      ? [...memoryWarnings(change, usage.memory), ...pidsWarnings(change, usage.pids)]
      : []),
    ...cpuWarnings(limits, change, facts.latest),
    ...ioWarnings(change, facts.latest),
    ...networkWarnings(change, facts.network),
    ...openFilesWarnings(change, facts.openFiles),
    ...logWarnings(limits, change, facts.logBytes),
    ...diskWarnings(change, facts.disk),
  ];
}

/** Warnings for a container's layer or a volume. */
export function diskWarnings({ disk = {} }: Limits, now: SpaceUsage | undefined): string[] {
  const { maxBytes, maxInodes } = disk;
  const warnings: string[] = [];
  if (now !== undefined && typeof maxBytes === 'number' && now.usedBytes > maxBytes)
    warnings.push(
      `The disk limit of ${mib(maxBytes)} is below the ${mib(now.usedBytes)} that it holds: nothing more can be written until some of it is removed.`,
    );
  const inodes = now?.usedInodes ?? 0;
  if (typeof maxInodes === 'number' && inodes > maxInodes)
    warnings.push(
      `The limit of ${maxInodes} files is below the ${inodes} that it holds: no new one can be made until some are removed.`,
    );
  return warnings;
}

function cpuWarnings(
  { cpu: limited }: Limits,
  { cpu }: Limits,
  latest: PressureSample | undefined,
): string[] {
  const quota = limited?.quotaMicros;
  const isNew = typeof cpu?.quotaMicros === 'number' || typeof cpu?.periodMicros === 'number';
  if (!isNew || typeof quota !== 'number' || latest === undefined) return [];
  const allowed = quota / (limited?.periodMicros ?? defaultPeriodMicros);
  const used = latest.cpu.usedMicros / 1000 / latest.intervalMs;
  return used > allowed
    ? [
        `The container used ${tenths(used)} CPUs in the last second, and the limit is ${tenths(allowed)}: it is slowed down. Nothing is ended.`,
      ]
    : [];
}

/**
 * The sample counts all devices together, so the traffic may have gone to another device than the
 * limited one.
 */
function ioWarnings({ io }: Limits, latest: PressureSample | undefined): string[] {
  if (latest === undefined) return [];
  const { readBytes, writtenBytes, readOperations, writeOperations } = latest.io;
  const each = (count: number) => `${Math.round(count)} times`;
  return (io?.devices ?? []).flatMap((limit) =>
    (
      [
        ['read', readBytes, limit.readBytesPerSecond, mib],
        ['wrote', writtenBytes, limit.writeBytesPerSecond, mib],
        ['read', readOperations, limit.readOperationsPerSecond, each],
        ['wrote', writeOperations, limit.writeOperationsPerSecond, each],
      ] as const
    ).flatMap(([did, count, most, shown]) => {
      const rate = (count * 1000) / latest.intervalMs;
      return typeof most === 'number' && rate > most
        ? [
            `The container ${did} ${shown(rate)} in the last second, and the limit of ${limit.device} is ${shown(most)}: it is slowed down. Nothing is ended.`,
          ]
        : [];
    }),
  );
}

function networkWarnings({ network }: Limits, now: NetworkRates | undefined): string[] {
  return (
    [
      ['sends', 'egressBytesPerSecond'],
      ['receives', 'ingressBytesPerSecond'],
    ] as const
  ).flatMap(([does, which]) => {
    const [most, rate] = [network?.[which], now?.[which]];
    return typeof most === 'number' && typeof rate === 'number' && rate > most
      ? [
          `The container ${does} ${mib(rate)} a second now, and the limit is ${mib(most)}: it is slowed down. No connection is ended.`,
        ]
      : [];
  });
}

function memoryWarnings({ memory = {} }: Limits, now: Usage['memory']): string[] {
  const { maxBytes, highBytes, maxWithSwapBytes } = memory;
  // Inactive page cache can be dropped at once and is not counted as needed.
  const used = now.usageBytes - now.inactiveFileBytes;
  const warnings: string[] = [];
  if (typeof maxBytes === 'number' && used > maxBytes)
    warnings.push(
      `The memory limit of ${mib(maxBytes)} is below the ${mib(used)} in use: the change is refused, unless the kernel can move enough of it to swap.`,
    );
  else if (typeof maxBytes === 'number' && used > close * maxBytes)
    warnings.push(
      `${mib(used)} of memory are in use, which is within 10 % of the limit of ${mib(maxBytes)}: a little more, and a process is killed.`,
    );
  const withSwap = used + now.swapBytes;
  if (typeof maxWithSwapBytes === 'number' && now.swapBytes > 0 && withSwap > maxWithSwapBytes)
    warnings.push(
      `Memory and swap together use ${mib(withSwap)}, more than the limit of ${mib(maxWithSwapBytes)}.`,
    );
  if (typeof highBytes === 'number' && used > highBytes)
    warnings.push(
      `${mib(used)} of memory are in use, above the high mark of ${mib(highBytes)}: the container is slowed down until it uses less.`,
    );
  return warnings;
}

function pidsWarnings({ pids }: Limits, { current }: Usage['pids']): string[] {
  if (typeof pids !== 'number') return [];
  if (current >= pids)
    return [
      `The container has ${current} processes and threads, and the limit is ${pids}: no new one can start until some end. None is ended.`,
    ];
  return current > close * pids
    ? [`The container has ${current} processes and threads: only ${pids - current} more can start.`]
    : [];
}

function openFilesWarnings({ openFiles }: Limits, most: number): string[] {
  if (typeof openFiles !== 'number') return [];
  if (most >= openFiles)
    return [
      `A process of the container has ${most} files open, and the limit is ${openFiles}: it can open no more until it closes some. None is closed.`,
    ];
  return most > close * openFiles
    ? [`A process of the container has ${most} files open: only ${openFiles - most} more can be.`]
    : [];
}

function logWarnings({ log }: Limits, change: Limits, bytes: number): string[] {
  if (change.log === undefined || log?.maxBytes == null || log.maxFiles == null) return [];
  const most = log.maxBytes * log.maxFiles;
  return bytes > most
    ? [
        `The log has ${mib(bytes)}, and the limit is ${mib(most)}: its oldest lines go as new ones are written.`,
      ]
    : [];
}

const tenths = (count: number) => Math.round(count * 10) / 10;
const mib = (bytes: number) => `${tenths(bytes / 1024 ** 2)} MiB`;

function sizeOf(logDirectory: string): number {
  return listSegments(logDirectory).reduce((sum, number) => {
    try {
      return sum + statSync(segmentPath(logDirectory, number)).size;
    } catch (error) {
      // The segment was rotated away after it was listed.
      if (hasErrno(error, 'ENOENT')) return sum;
      throw error;
    }
  }, 0);
}
