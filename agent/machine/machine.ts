/** The machine that the app runs this agent in: its clock, disk, power and randomness. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MachineBackend } from '../api/machine/backend.ts';
import { CortenError, invalid } from '../errors.ts';
import { setTimeOfDay } from '../kernel/clock.ts';
import { returnFreeMemory } from '../kernel/free-memory.ts';
import { hasErrno } from '../kernel/libc.ts';
import { drawNewRandomness } from '../kernel/randomness.ts';

export interface MachineOptions {
  /** Where the data disk is mounted. */
  root: string;
  /** For tests; the machine's own otherwise. */
  setTime?(timeMs: number): void;
  zones?: string;
  etc?: string;
}

/** Below this a step would only add to what the answer's way takes. */
const tolerableMs = 100;

export function createMachine(options: MachineOptions): MachineBackend {
  const { root, setTime = setTimeOfDay, zones = '/usr/share/zoneinfo', etc = '/etc' } = options;
  return {
    setClock(hostTimeMs) {
      const offsetMs = hostTimeMs - Date.now();
      const stepped = Math.abs(offsetMs) > tolerableMs;
      if (stepped) setTime(hostTimeMs);
      return { offsetMs, stepped };
    },
    setTimeZone: (name) => setTimeZone(name, zones, etc),
    // In a process of its own: writing all out takes a while, and this thread answers the API.
    sync: async () => void (await program('sync', [])),
    async trim() {
      // XFS frees what was removed a little later: asking for its figures pushes that, and writing
      // out makes it fit for a discard (xfs_fs_statfs, xfs_inodegc_push).
      diskFigures(root);
      await program('sync', []);
      const said = await program('fstrim', ['-v', root]);
      return { trimmedBytes: Number(/(\d+) bytes/.exec(said)?.[1] ?? 0) };
    },
    async grow() {
      await program('xfs_growfs', [root]);
      return { sizeBytes: diskFigures(root).diskSizeBytes };
    },
    freeMemory() {
      returnFreeMemory();
      // Clean pages of files, then larger blocks of what is free: only those are told to the host
      // (proc_sys_vm(5)).
      writeFileSync('/proc/sys/vm/drop_caches', '1');
      writeFileSync('/proc/sys/vm/compact_memory', '1');
    },
    reseed: drawNewRandomness,
    powerOff() {
      execFile('poweroff', () => {});
    },
    figures: () => ({ ...memoryFigures(), ...diskFigures(root), timeMs: Date.now() }),
  };
}

function setTimeZone(name: string, zones: string, etc: string): void {
  const file = join(zones, name);
  // The name becomes a path, and TZif is how such a file begins (tzfile(5)).
  if (!/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+){0,2}$/.test(name) || !isZone(file))
    throw invalid(`there is no time zone "${name}"; names are such as Europe/Berlin`);
  rmSync(join(etc, 'localtime'), { force: true });
  symlinkSync(file, join(etc, 'localtime'));
  process.env.TZ = name;
}

function isZone(file: string): boolean {
  return existsSync(file) && readFileSync(file).toString('latin1', 0, 4) === 'TZif';
}

async function program(name: string, words: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(name, words);
    return stdout;
  } catch (error) {
    if (hasErrno(error, 'ENOENT'))
      throw new CortenError('not-implemented', `this machine has no program ${name}`, {
        cause: error,
      });
    const { stderr } = error as { stderr?: string };
    throw new CortenError(
      'internal',
      `${name} ${words.join(' ')}: ${(stderr ?? '').trim() || error}`,
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
