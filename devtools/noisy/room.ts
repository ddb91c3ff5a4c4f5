/**
 * The small machine that an engine and its containers get, so that they can exhaust it and not the
 * real one: a file system of their own for the state, and a cap on memory and processes of the
 * engine's parent group. And how much of it is left.
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
export const roomDiskBytes = 3 * GiB;
export const roomMemoryBytes = 4 * GiB;
export const roomPids = 8192;
const cgroupRoot = '/sys/fs/cgroup';

/** What is left, each as a share (0 to 1) of what there is. Open files are the real machine's. */
export interface Left {
  memory: number;
  pids: number;
  disk: number;
  inodes: number;
  files: number;
}

/** At `state`: a file system that ends with its mount. */
export function mountRoom(state: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'corten-noisy-disk-'));
  const image = join(directory, 'disk.ext4');
  try {
    writeFileSync(image, '');
    truncateSync(image, roomDiskBytes);
    command('mkfs.ext4', ['-q', '-O', '^orphan_file', image]);
    command('mount', ['-o', 'loop', image, state]);
  } finally {
    // The loop device holds the file from here on.
    rmSync(directory, { recursive: true });
  }
}

export class Room {
  readonly #state: string;
  readonly #memory: string;
  readonly #pids: string;

  /** `pid` is of any container of the engine: the first component of its group is the engine's. */
  constructor(state: string, pid: number, enginePid: number, overOthers: boolean) {
    this.#state = state;
    this.#memory = topGroup(pid, 'memory');
    this.#pids = topGroup(pid, 'pids');
    // On a machine that others use: what they do is not this engine's doing.
    if (overOthers) comeFirst(topGroup(pid, 'cpu'), enginePid);
    const memoryFile = this.#memoryFile('memory.limit_in_bytes', 'memory.max');
    const pidsFile = join(this.#pids, 'pids.max');
    const leavesFloor = isLimit(memoryFile) && isLimit(pidsFile);
    writeFileSync(memoryFile, `${roomMemoryBytes}`);
    writeFileSync(pidsFile, `${roomPids}`);
    // What an engine leaves to the machine by itself it leaves to one of this size.
    const small = { memoryBytes: roomMemoryBytes, processes: roomPids };
    if (leavesFloor) for (const group of [this.#memory, this.#pids]) keepFloor({}, small)(group);
  }

  left(): Left {
    const disk = statfsSync(this.#state);
    const [taken = 0, , most = 1] = readFileSync('/proc/sys/fs/file-nr', 'utf8')
      .split('\t')
      .map(Number);
    return {
      memory: 1 - this.#memoryInUse() / roomMemoryBytes,
      pids: 1 - readNumber(join(this.#pids, 'pids.current')) / roomPids,
      disk: disk.bavail / disk.blocks,
      inodes: disk.ffree / disk.files,
      files: 1 - taken / most,
    };
  }

  groups(): string[] {
    if (!existsSync(this.#pids)) return [];
    return readdirSync(this.#pids, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  }

  /** What an engine could not end: no new process, and then the end of each that there is. */
  async end(group: string): Promise<void> {
    const directory = join(this.#pids, group);
    for (let attempt = 0; existsSync(directory) && attempt < 100; attempt++, await sleep(100)) {
      try {
        writeFileSync(join(directory, 'pids.max'), '0');
        const pids = readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').map(Number);
        // 0 is a process of another pid namespace.
        for (const pid of pids.filter((number) => number > 1)) endProcess(pid);
        if (readNumber(join(directory, 'pids.current')) === 0) return;
      } catch {
        // The engine removed the group meanwhile.
      }
    }
  }

  #memoryFile(v1: string, v2: string): string {
    const first = join(this.#memory, v1);
    return existsSync(first) ? first : join(this.#memory, v2);
  }

  /** Without the pages of files, which the kernel takes back as it needs them. */
  #memoryInUse(): number {
    const stat = readFileSync(join(this.#memory, 'memory.stat'), 'utf8');
    const field = (name: string) =>
      Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
    const prefix = stat.includes('total_inactive_file') ? 'total_' : '';
    const pages = field(`${prefix}inactive_file`) + field(`${prefix}active_file`);
    return readNumber(this.#memoryFile('memory.usage_in_bytes', 'memory.current')) - pages;
  }
}

/** Why the real machine needs the noise to stop now; undefined: it does not. */
export function machineIsShort(): string | undefined {
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  if (Number(available) * 1024 < 3 * GiB) return 'memory of the machine';
  const threads = Number(/\/(\d+)/.exec(readFileSync('/proc/loadavg', 'utf8'))?.[1]);
  if (readNumber('/proc/sys/kernel/pid_max') - threads < 8192) return 'processes of the machine';
  const [taken = 0, , most = 1] = readFileSync('/proc/sys/fs/file-nr', 'utf8')
    .split('\t')
    .map(Number);
  if (taken > most * 0.8) return 'open files of the machine';
  const disk = statfsSync(tmpdir());
  if (disk.bavail * disk.bsize < 5 * GiB) return 'disk of the machine';
  return undefined;
}

export interface Watch {
  /** The least of each that was seen. */
  least: Left;
  stoppedFor: string | undefined;
}

/** Looks until `ended`; calls `stop`, once, when the real machine runs short. */
export async function watch(room: Room, ended: AbortSignal, stop: () => void): Promise<Watch> {
  let least = room.left();
  let stoppedFor: string | undefined;
  for (; !ended.aborted; await sleep(100)) {
    least = lower(least, room.left());
    if (stoppedFor !== undefined) continue;
    stoppedFor = machineIsShort();
    if (stoppedFor !== undefined) stop();
  }
  return { least, stoppedFor };
}

function lower(one: Left, other: Left): Left {
  return {
    memory: Math.min(one.memory, other.memory),
    pids: Math.min(one.pids, other.pids),
    disk: Math.min(one.disk, other.disk),
    inodes: Math.min(one.inodes, other.inodes),
    files: Math.min(one.files, other.files),
  };
}

/**
 * Sixteen times what it had, and the engine's session with it, so that one is to the other as before. Not the most
 * there is: with 256 the neighbour was seen to wait 20 ms behind programs that have one.
 */
function comeFirst(group: string, enginePid: number): void {
  const shares = join(group, 'cpu.shares');
  if (existsSync(shares)) writeFileSync(shares, '16384');
  else writeFileSync(join(group, 'cpu.weight'), '1600');
  const session = `/proc/${enginePid}/autogroup`;
  if (!existsSync(session)) return;
  // Each step of niceness is a quarter more (sched(7)).
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

/** v1 has a number near 2^63 for none. */
function isLimit(path: string): boolean {
  const text = readFileSync(path, 'utf8').trim();
  return text !== 'max' && Number(text) < 2 ** 60;
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

function readNumber(path: string): number {
  return Number(readFileSync(path, 'utf8'));
}

function command(program: string, parameters: string[]): void {
  const { status, stderr } = spawnSync(program, parameters, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${parameters.join(' ')}: ${stderr}`);
}
