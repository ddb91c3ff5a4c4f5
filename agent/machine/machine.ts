/** Controls the virtual machine that runs this agent: its clock, disk, memory, randomness and power. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CortenError, invalid } from '../errors.ts';
import { setTimeOfDay } from '../kernel/clock.ts';
import { returnFreeMemory } from '../kernel/free-memory.ts';
import { hasErrno } from '../kernel/libc.ts';
import { drawNewRandomness } from '../kernel/randomness.ts';

export interface MachineOptions {
  /** Mount point of the data disk. */
  root: string;
  /** The following three are the machine's own unless a test sets them. */
  setTime?(timeMs: number): void;
  zones?: string;
  etc?: string;
}

/** A smaller offset is within the time that the request took, so that a step would not correct it. */
const toleranceMs = 100;

/** The functions throw `not-implemented` when the machine lacks the program they run, and `internal` when that fails. */
export function createMachine(options: MachineOptions) {
  const { root, setTime = setTimeOfDay, zones = '/usr/share/zoneinfo', etc = '/etc' } = options;
  return {
    /** Steps the clock when it is off by more than a tenth of a second. */
    setClock(hostTimeMs: number) {
      const offsetMs = hostTimeMs - Date.now();
      const stepped = Math.abs(offsetMs) > toleranceMs;
      if (stepped) setTime(hostTimeMs);
      return { offsetMs, stepped };
    },
    /** Throws `invalid` for a name that is not in the time zone database. */
    setTimeZone: (name: string) => setTimeZone(name, zones, etc),
    // sync(2) may take long and would block this thread, which answers the API.
    sync: async () => void (await program('sync', [])),
    async trim() {
      // XFS frees the blocks of removed files in the background. statfs(2) makes it start at once, and after a
      // sync the blocks can be discarded (xfs_fs_statfs, xfs_inodegc_push).
      diskFigures(root);
      await program('sync', []);
      const output = await program('fstrim', ['-v', root]);
      return { trimmedBytes: Number(/(\d+) bytes/.exec(output)?.[1] ?? 0) };
    },
    async grow() {
      await program('xfs_growfs', [root]);
      return { sizeBytes: diskFigures(root).diskSizeBytes };
    },
    freeMemory() {
      returnFreeMemory();
      // Clean pages of files become free, and compaction makes large blocks of them: the kernel reports only
      // large blocks to the host (proc_sys_vm(5)).
      writeFileSync('/proc/sys/vm/drop_caches', '1');
      writeFileSync('/proc/sys/vm/compact_memory', '1');
    },
    /** Must run after a resume from saved memory, so that no random number is drawn twice. */
    reseed: drawNewRandomness,
    powerOff() {
      execFile('poweroff', () => {});
    },
    figures: () => ({ ...memoryFigures(), ...diskFigures(root), timeMs: Date.now() }),
  };
}

function setTimeZone(name: string, zones: string, etc: string): void {
  const file = join(zones, name);
  // The name becomes a path, so its characters are checked. The file must begin with TZif (tzfile(5)).
  if (!/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+){0,2}$/.test(name) || !isZone(file))
    throw invalid(`there is no time zone "${name}"; names are such as Europe/Berlin`);
  rmSync(join(etc, 'localtime'), { force: true });
  symlinkSync(file, join(etc, 'localtime'));
  process.env.TZ = name;
}

function isZone(file: string): boolean {
  return existsSync(file) && readFileSync(file).toString('latin1', 0, 4) === 'TZif';
}

async function program(name: string, parameters: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(name, parameters);
    return stdout;
  } catch (error) {
    if (hasErrno(error, 'ENOENT'))
      throw new CortenError('not-implemented', `this machine has no program ${name}`, {
        cause: error,
      });
    const { stderr } = error as { stderr?: string };
    throw new CortenError(
      'internal',
      `${name} ${parameters.join(' ')}: ${(stderr ?? '').trim() || error}`,
      {
        cause: error,
      },
    );
  }
}

/** proc_meminfo(5). */
function memoryFigures() {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]);
  const memoryTotalBytes = kib('MemTotal') * 1024;
  return { memoryTotalBytes, memoryUsedBytes: memoryTotalBytes - kib('MemAvailable') * 1024 };
}

function diskFigures(root: string) {
  const { blocks, bfree, bsize } = statfsSync(root);
  return { diskSizeBytes: blocks * bsize, diskUsedBytes: (blocks - bfree) * bsize };
}
