/** Settings and resource use of a QEMU machine. */
import type { CompactProgress } from '../../contract/machine.ts';
import type { EngineClient } from '../engine-client.ts';
import type { EngineReach, MachineControls } from '../machine/machine.ts';
import { dataDiskAt, diskFigures, prepareDataDisk } from '../virtual-machine/disk.ts';
import { growGuest, guestFigures, trimGuest } from '../virtual-machine/guest-requests.ts';
import { processFigures } from '../virtual-machine/process-figures.ts';
import { recordedSettings } from '../virtual-machine/recorded-settings.ts';
import type { Session } from './session.ts';
import { dropSnapshot, snapshotBytes } from './snapshot.ts';

/** A running QEMU cannot change these, so they apply after a restart. */
const needsRestart = ['cpus', 'memoryBytes'] as const;

export function qemuControls(session: Session, reach: EngineReach): MachineControls {
  const { engine } = reach;
  const { files, defaults } = session;
  return {
    ...recordedSettings({
      path: files.settings,
      defaults,
      needsRestart,
      inForce: () => session.running?.plan,
      async apply(settings, before) {
        if (settings.diskBytes > before.diskBytes)
          await growDisk(session, settings.diskBytes, engine);
        // The saved memory of a stopped machine fits only the old size.
        else if (
          session.running === undefined &&
          needsRestart.some((name) => settings[name] !== before[name])
        )
          dropSnapshot(files.snapshot);
      },
    }),

    figures: async () => ({
      disk: diskFigures(files.dataDisk),
      snapshotBytes: snapshotBytes(files.snapshot),
      ...(await processFigures(session.running?.pid())),
      ...(await guestFigures(reach)),
    }),

    async *compact(signal): AsyncGenerator<CompactProgress> {
      const before = diskFigures(files.dataDisk).allocatedBytes;
      const freed = () => Math.max(0, before - diskFigures(files.dataDisk).allocatedBytes);
      const client = engine();
      yield { phase: 'trimming', freedBytes: 0 };
      // QEMU punches holes while the guest trims, so the file's size shows the progress.
      const trimming = trimGuest(client);
      let isDone = false;
      void trimming
        .catch(() => {})
        .finally(() => {
          isDone = true;
        });
      while (!isDone && !signal.aborted) {
        await Promise.race([trimming.catch(() => {}), tick()]);
        if (!isDone) yield { phase: 'trimming', freedBytes: freed() };
      }
      if (signal.aborted) return;
      await trimming;
      yield { phase: 'done', freedBytes: freed() };
    },
  };
}

const progressMs = 250;

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, progressMs));
}

/** Grows the file first, then the disk that the guest sees, then the guest's file system. */
async function growDisk(
  session: Session,
  sizeBytes: number,
  engine: () => EngineClient,
): Promise<void> {
  const { files, running } = session;
  const disk = dataDiskAt(files.dataDisk);
  if (running === undefined) {
    // A snapshot contains the old size.
    dropSnapshot(files.snapshot);
    return;
  }
  if (disk.format === 'raw') await prepareDataDisk(disk, sizeBytes, running.found.path);
  await running.qmp.run('block_resize', { 'node-name': 'data', size: sizeBytes });
  await growGuest(engine());
}
