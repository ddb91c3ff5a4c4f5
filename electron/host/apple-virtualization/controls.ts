/** Settings and resource use of a machine in Apple's Virtualization framework. */
import type { CompactProgress } from '../../contract/machine.ts';
import type { EngineReach, MachineControls } from '../machine/machine.ts';
import { diskFigures } from '../virtual-machine/disk.ts';
import { guestFigures, trimGuest } from '../virtual-machine/guest-requests.ts';
import { processFigures } from '../virtual-machine/process-figures.ts';
import { recordedSettings } from '../virtual-machine/recorded-settings.ts';
import type { Session } from './session.ts';

/** The framework cannot change them while the machine runs; the disk's file grows at the next start. */
const needsRestart = ['cpus', 'memoryBytes', 'diskBytes'] as const;

export function appleControls(session: Session, reach: EngineReach): MachineControls {
  const { files, defaults } = session;
  const inForce = () => session.running?.settings;
  return {
    ...recordedSettings({ path: files.settings, defaults, needsRestart, inForce }),

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
