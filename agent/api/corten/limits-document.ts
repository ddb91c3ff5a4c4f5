/** Reads the limits document of `/corten/v1` strictly: an unknown field is refused. */
import {
  type CpuLimits,
  type DiskLimits,
  type HugetlbLimits,
  type IoDeviceLimits,
  type IoLimits,
  type Limits,
  type LogLimits,
  type MemoryLimits,
  minDiskBytes,
  minDiskInodes,
  type NetworkRates,
} from '../../contract/limits.ts';
import { invalid } from '../../errors.ts';
import { type Document, Fields } from '../fields.ts';

type Read<T> = (value: unknown, path: string) => T;

export function readLimitsDocument(body: Fields): Limits {
  return readObject<Limits>(
    {
      cpu: readCpu,
      memory: readMemory,
      pids: orNull(wholeNumber(1)),
      io: readIo,
      hugetlb: readHugetlb,
      network: readNetwork,
      openFiles: orNull(wholeNumber(smallestOpenFiles, largestOpenFiles)),
      log: readLog,
      disk: readDisk,
    },
    body.document,
    'limits',
  );
}

/** Reads the limits of a volume, which has only a disk limit. */
export function readVolumeLimitsDocument(body: Fields): Pick<Limits, 'disk'> {
  return readObject<Pick<Limits, 'disk'>>({ disk: readDisk }, body.document, 'limits');
}

const readCpu: Read<CpuLimits> = (value, path) =>
  readObject<CpuLimits>(
    {
      quotaMicros: orNull(wholeNumber(1000)),
      periodMicros: orNull(wholeNumber(1000, 1_000_000)),
      burstMicros: orNull(wholeNumber(0)),
      shares: orNull(wholeNumber(2, 262_144)),
      cpus: orNull(cpuList),
      mems: orNull(cpuList),
    },
    value,
    path,
  );

const smallestMemoryBytes = 6 * 1024 * 1024;
/** With fewer open files a program cannot even load its libraries. */
const smallestOpenFiles = 16;
/** Default of the kernel's maximum, fs.nr_open. */
const largestOpenFiles = 1_048_576;
/** Smallest rate in bytes per second: the bucket holds a fiftieth of a second and must fit one full packet. */
const smallestRate = 1000;
/** A record has up to 64 KiB, and a file must hold at least one. */
const smallestLogBytes = 64 * 1024;
const largestLogFiles = 1000;

const readMemory: Read<MemoryLimits> = (value, path) =>
  readObject<MemoryLimits>(
    {
      maxBytes: orNull(wholeNumber(smallestMemoryBytes)),
      maxWithSwapBytes: orNull(wholeNumber(smallestMemoryBytes)),
      reservationBytes: orNull(wholeNumber(0)),
      swappiness: orNull(wholeNumber(0, 100)),
      oomKillDisabled: flag,
      highBytes: orNull(wholeNumber(smallestMemoryBytes)),
      oomGroup: orNull(flag),
    },
    value,
    path,
  );

const readIo: Read<IoLimits> = (value, path) =>
  readObject<IoLimits>(
    { weight: orNull(wholeNumber(10, 1000)), devices: readDevices },
    value,
    path,
  );

const readDevices: Read<IoDeviceLimits[]> = (value, path) => readList(value, path, readDevice);

const readDisk: Read<DiskLimits> = (value, path) =>
  readObject<DiskLimits>(
    {
      maxBytes: orNull(wholeNumber(minDiskBytes)),
      maxInodes: orNull(wholeNumber(minDiskInodes, 2 ** 32 - 1)),
    },
    value,
    path,
  );

const readHugetlb: Read<HugetlbLimits[]> = (value, path) => readList(value, path, readPages);

const readPages: Read<HugetlbLimits> = (value, path) => {
  const limits = readObject<HugetlbLimits>(
    {
      pageBytes: wholeNumber(4096),
      maxBytes: orNull(wholeNumber(0)),
      reservedMaxBytes: orNull(wholeNumber(0)),
    },
    value,
    path,
  );
  if (limits.pageBytes === undefined)
    throw invalid(`${path}.pageBytes is missing: name a size of huge pages, such as 2097152`);
  return { ...limits, pageBytes: limits.pageBytes };
};

const readNetwork: Read<NetworkRates> = (value, path) => {
  const rate = orNull(wholeNumber(smallestRate));
  return readObject<NetworkRates>(
    { egressBytesPerSecond: rate, ingressBytesPerSecond: rate },
    value,
    path,
  );
};

const readLog: Read<LogLimits> = (value, path) =>
  readObject<LogLimits>(
    {
      maxBytes: orNull(wholeNumber(smallestLogBytes)),
      maxFiles: orNull(wholeNumber(1, largestLogFiles)),
    },
    value,
    path,
  );

function readList<T>(value: unknown, path: string, read: Read<T>): T[] {
  if (!Array.isArray(value)) throw invalid(`${path} must be a list`);
  return value.map((item, index) => read(item, `${path}[${index}]`));
}

const readDevice: Read<IoDeviceLimits> = (value, path) => {
  const rate = orNull(wholeNumber(1));
  const limits = readObject<IoDeviceLimits>(
    {
      device: devicePath,
      weight: orNull(wholeNumber(10, 1000)),
      readBytesPerSecond: rate,
      writeBytesPerSecond: rate,
      readOperationsPerSecond: rate,
      writeOperationsPerSecond: rate,
    },
    value,
    path,
  );
  if (limits.device === undefined) throw invalid(`${path}.device is missing: name a block device`);
  return { ...limits, device: limits.device };
};

function readObject<T>(
  readers: { [Key in keyof T]-?: Read<T[Key]> },
  value: unknown,
  path: string,
): Partial<T> {
  const document: Document = new Fields(value, path).document;
  const result: Partial<T> = {};
  for (const [name, field] of Object.entries(document)) {
    if (!Object.hasOwn(readers, name))
      throw invalid(`${path}.${name} is not a limit; known are ${Object.keys(readers).join(', ')}`);
    const key = name as keyof T;
    result[key] = readers[key](field, `${path}.${name}`);
  }
  return result;
}

function orNull<T>(read: Read<T>): Read<T | null> {
  return (value, path) => (value === null ? null : read(value, path));
}

function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): Read<number> {
  return (value, path) => {
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most)
      throw invalid(
        `${path} must be a whole number ${most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`}, or null for no limit; it is ${JSON.stringify(value)}`,
      );
    return value as number;
  };
}

const cpuList: Read<string> = (value, path) => {
  if (typeof value !== 'string' || !/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(value))
    throw invalid(`${path} must be a list such as "0-2,4", or null for all`);
  return value;
};

const devicePath: Read<string> = (value, path) => {
  if (typeof value !== 'string' || !/^\/dev\/[^\0]+$/.test(value))
    throw invalid(`${path} must be a block device's path, such as "/dev/vda"`);
  return value;
};

const flag: Read<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw invalid(`${path} must be true or false`);
  return value;
};
