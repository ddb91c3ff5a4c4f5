/** What people set of a QEMU machine, and what it takes of their computer. */
import { readFileSync } from 'node:fs';
import type {
  CompactProgress,
  MachineFigures,
  MachineSettings,
} from '../../../contract/machine.ts';
import type { EngineClient } from '../../engine-client.ts';
import { dataDiskAt, diskFigures, prepareDataDisk } from '../guest/disk.ts';
import {
  changedSettings,
  imagesInUse,
  readRecord,
  settingsView,
  writeRecord,
} from '../guest/record.ts';
import { guestFigures } from '../guest-requests.ts';
import type { EngineReach, MachineControls } from '../machine.ts';
import type { Session } from './session.ts';
import { dropSnapshot, snapshotBytes } from './snapshot.ts';

/** Changed inside a running QEMU only by starting it again. */
const needsRestart = ['cpus', 'memoryBytes'] as const;

export function qemuControls(session: Session, reach: EngineReach): MachineControls {
  const { engine } = reach;
  const { files, defaults } = session;
  const view = (settings: MachineSettings) =>
    settingsView(settings, needsRestart, session.running?.plan);
  return {
    settings: () => view(readRecord(files.settings, defaults).settings),

    async change(change) {
      const record = readRecord(files.settings, defaults);
      const settings = changedSettings(record.settings, change);
      if (settings.diskBytes > record.settings.diskBytes)
        await growDisk(session, settings.diskBytes, engine);
      // A stopped machine's saved memory is one of the old size.
      else if (
        session.running === undefined &&
        needsRestart.some((name) => change[name] !== undefined)
      )
        dropSnapshot(files.snapshot);
      writeRecord(files.settings, { ...record, settings });
      return view(settings);
    },

    images: () => imagesInUse(readRecord(files.settings, defaults)),

    figures: async () => ({
      disk: diskFigures(files.dataDisk),
      snapshotBytes: snapshotBytes(files.snapshot),
      ...processFigures(session.running?.pid()),
      ...(await guestFigures(reach)),
    }),

    async *compact(signal): AsyncGenerator<CompactProgress> {
      const before = diskFigures(files.dataDisk).allocatedBytes;
      const freed = () => Math.max(0, before - diskFigures(files.dataDisk).allocatedBytes);
      const client = engine();
      yield { phase: 'trimming', freedBytes: 0 };
      // QEMU punches the holes as the guest trims, so that the file itself shows how far it is.
      const trimming = ask(client, 'POST', '/corten/v1/machine/trim');
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

/** The file first, then the disk that the guest sees, then its file system. */
async function growDisk(
  session: Session,
  sizeBytes: number,
  engine: () => EngineClient,
): Promise<void> {
  const { files, running } = session;
  const disk = dataDiskAt(files.dataDisk);
  if (running === undefined) {
    // A snapshot knows the old size.
    dropSnapshot(files.snapshot);
    return;
  }
  if (disk.format === 'raw') await prepareDataDisk(disk, sizeBytes, running.found.path);
  await running.qmp.run('block_resize', { 'node-name': 'data', size: sizeBytes });
  await ask(engine(), 'POST', '/corten/v1/machine/grow');
}

async function ask<T>(client: EngineClient, method: 'GET' | 'POST', path: string): Promise<T> {
  const { status, body } = await client.request({ method, path });
  const text = Buffer.from(body).toString('utf8');
  if (status >= 400) {
    const { message } = JSON.parse(text) as { message: string };
    throw new Error(`The machine refused: ${message}`);
  }
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** From procfs (proc_pid_status(5), proc_pid_stat(5)); other systems show them in their own tools. */
function processFigures(pid: number | undefined): Partial<MachineFigures> {
  if (pid === undefined || process.platform !== 'linux') return {};
  try {
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return {
      hostMemoryBytes: Number(resident) * 1024,
      // In ticks, of which Linux has told a hundred a second to every program for decades.
      cpuMs: (Number(fields[11]) + Number(fields[12])) * 10,
    };
  } catch {
    // It has just ended.
    return {};
  }
}
