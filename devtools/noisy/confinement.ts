/**
 * The resources that an engine and its containers may use up without harm to the host: a small file system for the
 * engine's state, and limits of memory and processes on the control group above all its containers.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepFloor } from '../../agent/cgroup/floor.ts';

const GiB = 1024 ** 3;
const diskBytes = 3 * GiB;
const memoryBytes = 4 * GiB;
const maxProcesses = 8192;
const cgroupRoot = '/sys/fs/cgroup';

/** The free share of each resource, from 0 to 1. Open files cannot be confined and are the host's. */
export interface Headroom {
  memory: number;
  pids: number;
  disk: number;
  inodes: number;
  files: number;
}

/** Mounts a new file system at `state`, which is gone when it is unmounted. */
export function mountSmallDisk(state: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'corten-noisy-disk-'));
  const image = join(directory, 'disk.ext4');
  try {
    writeFileSync(image, '');
    truncateSync(image, diskBytes);
    command('mkfs.ext4', ['-q', '-O', '^orphan_file', image]);
    command('mount', ['-o', 'loop', image, state]);
  } finally {
    // The loop device keeps the file's data while it is mounted.
    rmSync(directory, { recursive: true });
  }
}

export class Confinement {
  readonly #state: string;
  readonly #memory: string;
  readonly #pids: string;

  /** `pid` is of any container of the engine: the engine's group is the first component of its path. */
  constructor(state: string, pid: number, enginePid: number, overOthers: boolean) {
    this.#state = state;
    this.#memory = topGroup(pid, 'memory');
    this.#pids = topGroup(pid, 'pids');
    // Other programs of a shared host must not slow the engine down.
    if (overOthers) raisePriority(topGroup(pid, 'cpu'), enginePid);
    const memoryFile = this.#memoryFile('memory.limit_in_bytes', 'memory.max');
    const pidsFile = join(this.#pids, 'pids.max');
    const keepsReserve = isLimit(memoryFile) && isLimit(pidsFile);
    writeFileSync(memoryFile, `${memoryBytes}`);
    writeFileSync(pidsFile, `${maxProcesses}`);
    // An engine that keeps a reserve for the host keeps it for a host of this size.
    const size = { memoryBytes, processes: maxProcesses };
    if (keepsReserve) for (const group of [this.#memory, this.#pids]) keepFloor({}, size)(group);
  }

  headroom(): Headroom {
    const disk = statfsSync(this.#state);
    const [taken = 0, , most = 1] = readFileSync('/proc/sys/fs/file-nr', 'utf8')
      .split('\t')
      .map(Number);
    return {
      memory: 1 - this.#memoryInUse() / memoryBytes,
      pids: 1 - readNumber(join(this.#pids, 'pids.current')) / maxProcesses,
      disk: disk.bavail / disk.blocks,
      inodes: disk.ffree / disk.files,
      files: 1 - taken / most,
    };
  }

  containerGroups(): string[] {
    if (!existsSync(this.#pids)) return [];
    return readdirSync(this.#pids, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  }

  /** Kills a group that the engine could not remove: first it may fork no more, then every process is killed. */
  async killGroup(group: string): Promise<void> {
    const directory = join(this.#pids, group);
    for (let attempt = 0; existsSync(directory) && attempt < 100; attempt++, await sleep(100)) {
      try {
        writeFileSync(join(directory, 'pids.max'), '0');
        const pids = readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').map(Number);
        // cgroup.procs shows a process of another pid namespace as 0.
        for (const pid of pids.filter((number) => number > 1)) endProcess(pid);
        if (readNumber(join(directory, 'pids.current')) === 0) return;
      } catch {
        // The group was removed while it was read.
      }
    }
  }

  #memoryFile(v1: string, v2: string): string {
    const first = join(this.#memory, v1);
    return existsSync(first) ? first : join(this.#memory, v2);
  }

  /** Does not count the page cache, which the kernel reclaims when it is needed. */
  #memoryInUse(): number {
    const stat = readFileSync(join(this.#memory, 'memory.stat'), 'utf8');
    const field = (name: string) =>
      Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
    const prefix = stat.includes('total_inactive_file') ? 'total_' : '';
    const pages = field(`${prefix}inactive_file`) + field(`${prefix}active_file`);
    return readNumber(this.#memoryFile('memory.usage_in_bytes', 'memory.current')) - pages;
  }
}

/** The resource that the host itself runs short of, so that the noise has to stop. `undefined`: none. */
export function hostShortage(): string | undefined {
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  if (Number(available) * 1024 < 3 * GiB) return 'memory of the host';
  const threads = Number(/\/(\d+)/.exec(readFileSync('/proc/loadavg', 'utf8'))?.[1]);
  if (readNumber('/proc/sys/kernel/pid_max') - threads < 8192) return 'processes of the host';
  const [taken = 0, , most = 1] = readFileSync('/proc/sys/fs/file-nr', 'utf8')
    .split('\t')
    .map(Number);
  if (taken > most * 0.8) return 'open files of the host';
  const disk = statfsSync(tmpdir());
  if (disk.bavail * disk.bsize < 5 * GiB) return 'disk of the host';
  return undefined;
}

export interface HeadroomWatch {
  /** The least free share of each resource. */
  least: Headroom;
  stoppedFor: string | undefined;
}

/** Samples every 100 ms until `ended`, and calls `stop` once when the host runs short. */
export async function watchHeadroom(
  confinement: Confinement,
  ended: AbortSignal,
  stop: () => void,
): Promise<HeadroomWatch> {
  let least = confinement.headroom();
  let stoppedFor: string | undefined;
  for (; !ended.aborted; await sleep(100)) {
    least = leastOf([least, confinement.headroom()]);
    if (stoppedFor !== undefined) continue;
    stoppedFor = hostShortage();
    if (stoppedFor !== undefined) stop();
  }
  return { least, stoppedFor };
}

/** For each resource the least of `all`. */
export function leastOf(all: Headroom[]): Headroom {
  const least = (name: keyof Headroom) => Math.min(...all.map((one) => one[name]));
  return {
    memory: least('memory'),
    pids: least('pids'),
    disk: least('disk'),
    inodes: least('inodes'),
    files: least('files'),
  };
}

/**
 * Gives the group 16 times the usual CPU weight, and the engine's autogroup as much more, so that their ratio stays.
 * More is worse: with 256 times the neighbour waited up to 20 ms behind programs of weight 1.
 */
function raisePriority(group: string, enginePid: number): void {
  const shares = join(group, 'cpu.shares');
  if (existsSync(shares)) writeFileSync(shares, '16384');
  else writeFileSync(join(group, 'cpu.weight'), '1600');
  const session = `/proc/${enginePid}/autogroup`;
  if (!existsSync(session)) return;
  // Each step of the nice value changes the weight by a factor of 1.25, and 1.25^12 is about 15 (sched(7)).
  const [, nice] = / nice (-?\d+)/.exec(readFileSync(session, 'utf8')) ?? [];
  writeFileSync(session, `${Math.max(-20, Number(nice ?? 0) - 12)}`);
}

function topGroup(pid: number, controller: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const v1 = lines.find((line) => line.split(':')[1]?.split(',').includes(controller));
  const [, , path = ''] = (v1 ?? lines.find((line) => line.startsWith('0::')) ?? '').split(':');
  const top = path.split('/')[1];
  if (!top) throw new Error(`process ${pid} is in no group of an engine: "${path}"`);
  return join(cgroupRoot, v1 === undefined ? '' : controller, top);
}

/** In cgroup v1 "no limit" is a number near 2^63. */
function isLimit(path: string): boolean {
  const text = readFileSync(path, 'utf8').trim();
  return text !== 'max' && Number(text) < 2 ** 60;
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process has ended already.
  }
}

function readNumber(path: string): number {
  return Number(readFileSync(path, 'utf8'));
}

function command(program: string, parameters: string[]): void {
  const { status, stderr } = spawnSync(program, parameters, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${parameters.join(' ')}: ${stderr}`);
}
