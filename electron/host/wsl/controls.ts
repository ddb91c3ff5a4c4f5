/**
 * Settings and resource use of a machine in WSL 2. CPUs and memory belong to WSL's one virtual machine,
 * which all distributions share. They are set in the user's own `.wslconfig`, which the app never writes.
 */
import { existsSync, statSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import type {
  CompactProgress,
  MachineSettings,
  MachineSettingsView,
} from '../../contract/machine.ts';
import { type EngineReach, type MachineControls, SettingRefused } from '../machine/machine.ts';
import { guestFigures, trimGuest } from '../virtual-machine/guest-requests.ts';
import type { Distribution } from './distribution.ts';
import { changeRecord, readRecord } from './record.ts';

/** WSL's size of a new disk (https://learn.microsoft.com/windows/wsl/disk-space). */
const usualDiskBytes = 1024 ** 4;
const largestDiskBytes = 16 * 1024 ** 4;
const gibibyte = 1024 ** 3;

const noDisk = 'The machine has no disk yet. Start it once before.';
const diskInUse = 'Stop the machine first: WSL resizes no disk in use.';
const inWslConfig =
  'All distributions of WSL share their processors and memory. Set "processors" and "memory" in the file .wslconfig of your Windows folder, and run "wsl --shutdown".';
const noPause =
  'WSL gives memory back by itself, and ends its virtual machine when nothing runs in it: there is no pause to set.';
const sharedSettings = {
  cpus: inWslConfig,
  memoryBytes: inWslConfig,
  pauseAfterMs: noPause,
  pauseOnBatteryAfterMs: noPause,
};
const compactAdvice =
  'WSL shrinks a disk\'s file only where it is sparse, and makes none sparse by itself. By hand: "wsl --shutdown", then "Optimize-VHD" on its ext4.vhdx as administrator.';

export function wslControls(
  distribution: Distribution,
  recordPath: string,
  reach: EngineReach,
): MachineControls {
  const isUsed = () => reach.background() !== undefined;
  const view = (): MachineSettingsView => {
    const record = readRecord(recordPath);
    const settings: MachineSettings = {
      cpus: availableParallelism(),
      // WSL uses half of the computer's memory unless .wslconfig sets another size.
      memoryBytes: Math.floor(totalmem() / 2),
      diskBytes: record?.diskBytes ?? usualDiskBytes,
      pauseAfterMs: null,
      pauseOnBatteryAfterMs: null,
      proxiesInContainers: record?.proxiesInContainers ?? false,
    };
    const fixed = (value: number) => ({ min: value, max: value, step: 1 });
    return {
      settings,
      bounds: {
        cpus: fixed(settings.cpus),
        memoryBytes: fixed(settings.memoryBytes),
        diskBytes: { min: settings.diskBytes, max: largestDiskBytes, step: gibibyte },
      },
      afterRestart: [],
      needsRestart: [],
      fixed: {
        ...sharedSettings,
        ...(isUsed() && { diskBytes: diskInUse }),
        ...(record === undefined && {
          diskBytes: noDisk,
          proxiesInContainers: noDisk,
        }),
      },
      compactAdvice,
    };
  };
  return {
    settings: view,

    async change({ diskBytes, proxiesInContainers, ...others }) {
      const { settings, bounds } = view();
      for (const [name, value] of Object.entries(others) as [keyof typeof others, unknown][])
        if (value !== undefined && value !== settings[name])
          throw new SettingRefused(name, sharedSettings[name]);
      const hasRecord = readRecord(recordPath) !== undefined;
      if (proxiesInContainers !== undefined && !hasRecord)
        throw new SettingRefused('proxiesInContainers', noDisk);
      const resizes = diskBytes !== undefined && diskBytes !== settings.diskBytes;
      if (resizes) {
        if (!hasRecord) throw new SettingRefused('diskBytes', noDisk);
        await resize(distribution, diskBytes, bounds.diskBytes);
      }
      // The resize comes last, so that a refused change leaves all settings unchanged.
      changeRecord(recordPath, {
        ...(resizes && { diskBytes }),
        ...(proxiesInContainers !== undefined && {
          proxiesInContainers: proxiesInContainers === true,
        }),
      });
      return view();
    },

    images() {
      const record = readRecord(recordPath);
      if (record === undefined) return undefined;
      const { root, previousRoot } = record;
      return { current: root, ...(previousRoot !== undefined && { previous: previousRoot }) };
    },

    figures: async () => ({
      // The process vmmemWSL is that of all distributions, so it is not this machine's figure.
      disk: { sizeBytes: view().settings.diskBytes, allocatedBytes: allocated(distribution) },
      snapshotBytes: 0,
      ...(await guestFigures(reach)),
    }),

    /**
     * The file shrinks by itself only where it is sparse, which WSL makes no new disk any more since
     * files were damaged by it (LxssUserSession.cpp, SetSparse); docs/machines.md has the other way.
     */
    async *compact(): AsyncGenerator<CompactProgress> {
      const before = allocated(distribution);
      yield { phase: 'trimming', freedBytes: 0 };
      await trimGuest(reach.engine());
      yield { phase: 'done', freedBytes: Math.max(0, before - allocated(distribution)) };
    },
  };
}

async function resize(
  distribution: Distribution,
  diskBytes: number,
  { min, max }: { min: number; max: number },
): Promise<void> {
  if (!Number.isSafeInteger(diskBytes) || diskBytes < min || diskBytes > max)
    throw new SettingRefused(
      'diskBytes',
      `The machine's disk has ${min / gibibyte} GiB and can only become larger, up to ${max / gibibyte} GiB: its file takes no more than what is used.`,
    );
  if (await distribution.isRunning()) throw new SettingRefused('diskBytes', diskInUse);
  await distribution.resize(diskBytes);
}

function allocated({ diskPath }: Distribution): number {
  return existsSync(diskPath) ? statSync(diskPath).size : 0;
}
