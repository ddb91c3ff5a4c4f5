/** What people set of a machine in Apple's virtualization, and what it takes of their Mac. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type {
  CompactProgress,
  MachineFigures,
  MachineSettings,
} from '../../../contract/machine.ts';
import { diskFigures } from '../guest/disk.ts';
import {
  changedSettings,
  imagesInUse,
  readRecord,
  settingsView,
  writeRecord,
} from '../guest/record.ts';
import { guestFigures, trimGuest } from '../guest-requests.ts';
import type { EngineReach, MachineControls } from '../machine.ts';
import type { Session } from './session.ts';

/** The framework changes none of them while the machine runs; the disk's file grows at its next start. */
const needsRestart = ['cpus', 'memoryBytes', 'diskBytes'] as const;

export function appleControls(session: Session, reach: EngineReach): MachineControls {
  const { files, defaults } = session;
  const view = (settings: MachineSettings) =>
    settingsView(settings, needsRestart, session.running?.settings);
  return {
    settings: () => view(readRecord(files.settings, defaults).settings),

    async change(change) {
      const record = readRecord(files.settings, defaults);
      const settings = changedSettings(record.settings, change);
      writeRecord(files.settings, { ...record, settings });
      return view(settings);
    },

    images: () => imagesInUse(readRecord(files.settings, defaults)),

    figures: async () => ({
      disk: diskFigures(files.dataDisk),
      snapshotBytes: 0,
      ...(await processFigures(session.running?.pid())),
      ...(await guestFigures(reach)),
    }),

    async *compact(): AsyncGenerator<CompactProgress> {
      const before = diskFigures(files.dataDisk).allocatedBytes;
      yield { phase: 'trimming', freedBytes: 0 };
      await trimGuest(reach.engine());
      const { allocatedBytes } = diskFigures(files.dataDisk);
      yield { phase: 'done', freedBytes: Math.max(0, before - allocatedBytes) };
    },
  };
}

/** ps(1): kibibytes, and `[[dd-]hh:]mm:ss` with hundredths on macOS. */
async function processFigures(pid: number | undefined): Promise<Partial<MachineFigures>> {
  if (pid === undefined) return {};
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=,time=', '-p', String(pid)]);
    const [resident = '', time = ''] = stdout.trim().split(/\s+/);
    return { hostMemoryBytes: Number(resident) * 1024, cpuMs: milliseconds(time) };
  } catch {
    // It has just ended.
    return {};
  }
}

export function milliseconds(time: string): number {
  const [days, clock] = time.includes('-') ? time.split('-') : ['0', time];
  const seconds = (clock ?? '').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + seconds) * 1000);
}
