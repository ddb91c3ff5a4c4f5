/** The io controller (blkio on v1): a weight, and rates a device. */
import { existsSync, statSync } from 'node:fs';
import type { IoDeviceLimits, IoLimits, IoUsage } from '../contract/limits.ts';
import { invalid } from '../errors.ts';
import { splitDevice } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { hasControl, type ReadFile, readControlIfAny, writeLimit } from './control-file.ts';

const defaultWeightV1 = 500;
const defaultWeightV2 = 100;

/** v1 throttles only I/O that a process does itself; buffered writeback is not throttled. */
export function applyIoV1(directory: string, limits: IoLimits): void {
  // BFQ renamed the files when it replaced CFQ; a machine whose disks use neither has none.
  const prefix = ['blkio.bfq', 'blkio'].find((name) => hasControl(directory, `${name}.weight`));
  if (prefix !== undefined && limits.weight !== undefined)
    writeLimit(directory, `${prefix}.weight`, limits.weight ?? defaultWeightV1, 'IO weight');
  for (const device of limits.devices ?? []) {
    const number = numberIfNeeded(device);
    if (number === undefined) continue;
    const set = (file: string, value: number | null | undefined, limit: string) => {
      if (value !== undefined)
        writeLimit(directory, file, `${number} ${value ?? 0}`, `${limit} of ${device.device}`);
    };
    if (prefix !== undefined && hasControl(directory, `${prefix}.weight_device`))
      ifKnown(() => set(`${prefix}.weight_device`, device.weight, 'IO weight'));
    set('blkio.throttle.read_bps_device', device.readBytesPerSecond, 'read rate');
    set('blkio.throttle.write_bps_device', device.writeBytesPerSecond, 'write rate');
    set('blkio.throttle.read_iops_device', device.readOperationsPerSecond, 'read operations');
    set('blkio.throttle.write_iops_device', device.writeOperationsPerSecond, 'write operations');
  }
}

export function applyIoV2(directory: string, limits: IoLimits): void {
  if (limits.weight !== undefined) writeWeightV2(directory, 'default', limits.weight, 'IO weight');
  for (const device of limits.devices ?? []) {
    const number = numberIfNeeded(device);
    if (number === undefined) continue;
    const { weight } = device;
    if (weight !== undefined)
      ifKnown(() => writeWeightV2(directory, number, weight, `IO weight of ${device.device}`));
    const rates = ratesV2(device);
    if (rates === '') continue;
    try {
      writeLimit(directory, 'io.max', `${number} ${rates}`, `rates of ${device.device}`);
    } catch (error) {
      // Linux refused it in io.max for years (tg_set_limit in block/blk-throttle.c), v1 never did.
      const { cause } = error as Error;
      if (/=1\b/.test(rates) && hasErrno(cause, 'EINVAL'))
        throw invalid(
          `This machine's kernel knows no rate of 1 a second for ${device.device}: ask for 2 or more.`,
          error,
        );
      throw error;
    }
  }
}

/** A disk whose scheduler has no weights is treated like a kernel without the file. */
function ifKnown(writeWeight: () => void): void {
  try {
    writeWeight();
  } catch (error) {
    if (!hasErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) throw error;
  }
}

/** Docker's 10 to 1000 as io.weight's 1 to 10000. */
export function ioWeightV2(weight: number): number {
  return Math.floor(1 + ((weight - 10) * 9999) / 990);
}

function writeWeightV2(
  directory: string,
  subject: string,
  weight: number | null,
  limit: string,
): void {
  // BFQ has its own file, in Docker's own scale.
  const cleared = subject === 'default' ? defaultWeightV2 : 'default';
  if (hasControl(directory, 'io.bfq.weight')) {
    writeLimit(directory, 'io.bfq.weight', `${subject} ${weight ?? cleared}`, limit);
  } else if (hasControl(directory, 'io.weight')) {
    const value = weight === null ? cleared : ioWeightV2(weight);
    writeLimit(directory, 'io.weight', `${subject} ${value}`, limit);
  }
}

function ratesV2(device: IoDeviceLimits): string {
  const rates: [string, number | null | undefined][] = [
    ['rbps', device.readBytesPerSecond],
    ['wbps', device.writeBytesPerSecond],
    ['riops', device.readOperationsPerSecond],
    ['wiops', device.writeOperationsPerSecond],
  ];
  return rates
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value || 'max'}`)
    .join(' ');
}

/** Returns undefined when the change only removes limits of a disk that no longer exists. */
function numberIfNeeded({ device, ...values }: IoDeviceLimits): string | undefined {
  const clears = Object.values(values).every((value) => value === null || value === undefined);
  return clears && !isDeviceNumber(device) && !existsSync(device)
    ? undefined
    : deviceNumber(device);
}

const isDeviceNumber = (text: string) => /^\d+:\d+$/.test(text);

/** The `major:minor` of a block device, given by path or as `major:minor`. */
function deviceNumber(path: string): string {
  if (isDeviceNumber(path)) return path;
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (!stat?.isBlockDevice())
    throw invalid(
      `IO limits need a block device, and ${path} ${stat ? 'is none' : 'does not exist'}: name a disk such as /dev/sda.`,
    );
  const { major, minor } = splitDevice(stat.rdev);
  return `${major}:${minor}`;
}

/** Lines are `254:0 Read 4096`; the throttling layer counts for every scheduler. */
export function readIoV1(directory: string, read: ReadFile = readControlIfAny): IoUsage[] {
  const usages = new Map<string, IoUsage>();
  const add = (
    file: string,
    reads: 'readBytes' | 'readOperations',
    writes: 'writeBytes' | 'writeOperations',
  ) => {
    const text = read(directory, `${file}_recursive`) ?? read(directory, file) ?? '';
    for (const line of text.split('\n')) {
      const [device = '', operation, count] = line.split(' ');
      if (count === undefined || (operation !== 'Read' && operation !== 'Write')) continue;
      usageOf(usages, device)[operation === 'Read' ? reads : writes] += Number(count);
    }
  };
  add('blkio.throttle.io_service_bytes', 'readBytes', 'writeBytes');
  add('blkio.throttle.io_serviced', 'readOperations', 'writeOperations');
  return [...usages.values()];
}

/** Lines are `254:0 rbytes=4096 wbytes=0 rios=1 wios=0 …`. */
export function readIoV2(directory: string, read: ReadFile = readControlIfAny): IoUsage[] {
  const usages = new Map<string, IoUsage>();
  for (const line of (read(directory, 'io.stat') ?? '').split('\n')) {
    const [device = '', ...pairs] = line.split(' ');
    const counts = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
    if (!counts.has('rbytes')) continue;
    const usage = usageOf(usages, device);
    usage.readBytes = Number(counts.get('rbytes'));
    usage.writeBytes = Number(counts.get('wbytes') ?? 0);
    usage.readOperations = Number(counts.get('rios') ?? 0);
    usage.writeOperations = Number(counts.get('wios') ?? 0);
  }
  return [...usages.values()];
}

function usageOf(usages: Map<string, IoUsage>, device: string): IoUsage {
  const known = usages.get(device);
  if (known) return known;
  const [major = 0, minor = 0] = device.split(':').map(Number);
  const usage = {
    major,
    minor,
    readBytes: 0,
    writeBytes: 0,
    readOperations: 0,
    writeOperations: 0,
  };
  usages.set(device, usage);
  return usage;
}
