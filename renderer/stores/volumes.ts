/** Volumes, with who uses them and what those with a size hold; read again while somebody looks. */
import { create } from 'zustand';
import { type ContainerSummary, type DiskUsage, listContainers } from '../bridge/containers.ts';
import {
  createVolume,
  getVolumeUsage,
  listVolumes,
  removeVolume,
  setVolumeSize,
  type Volume,
} from '../bridge/volumes.ts';
import { type DryRunResult, foresee } from './dry-run.ts';
import { InOrder } from './in-order.ts';
import { atSwitch, perMachine } from './per-machine.ts';
import { ask } from './question.ts';
import { messageOf } from './sentence.ts';
import { toast, toastError } from './toasts.ts';
import { whileVisible } from './while-visible.ts';

export interface VolumeRow {
  name: string;
  /** Made for one container, which did not name it. */
  isUnnamed: boolean;
  createdAtMs: number;
  users: { id: string; name: string }[];
  /** Undefined: made without a size, and nobody counts. */
  usage: DiskUsage | undefined;
}

export const useVolumes = perMachine(
  create<{ rows: VolumeRow[]; loaded: boolean; error: string | undefined }>()(() => ({
    rows: [],
    loaded: false,
    error: undefined,
  })),
);

const pollMs = 4000;
let readings = new InOrder();
atSwitch(() => {
  readings = new InOrder();
});

/** Gives back how to stop. */
export function followVolumes(): () => void {
  return whileVisible(async (signal) => {
    while (!signal.aborted) {
      await loadVolumes();
      await new Promise((done) => setTimeout(done, pollMs));
    }
  });
}

export async function loadVolumes(): Promise<void> {
  await readings.read(
    readRows,
    (rows) => useVolumes.setState({ rows, loaded: true, error: undefined }),
    (error) => useVolumes.setState({ error: messageOf(error) }),
  );
}

async function readRows(): Promise<VolumeRow[]> {
  const [volumes, containers] = await Promise.all([listVolumes(), listContainers()]);
  const rows = await Promise.all(
    volumes.map(async (volume) => toRow(volume, containers, await usageOf(volume))),
  );
  return rows.sort((a, b) => a.name.localeCompare(b.name));
}

async function usageOf({ Name }: Volume): Promise<DiskUsage | undefined> {
  // Removed meanwhile: the next reading has it no more.
  const usage = await getVolumeUsage(Name).catch(() => undefined);
  return usage?.usedBytes === null ? undefined : usage;
}

function toRow(
  { Name, CreatedAt }: Volume,
  containers: ContainerSummary[],
  usage: DiskUsage | undefined,
): VolumeRow {
  return {
    name: Name,
    isUnnamed: /^[0-9a-f]{64}$/.test(Name),
    createdAtMs: Date.parse(CreatedAt ?? ''),
    users: containers
      .filter(({ Mounts }) => Mounts?.some((mount) => mount.Name === Name))
      .map(({ Id, Names }) => ({ id: Id ?? '', name: (Names?.[0] ?? '').slice(1) })),
    usage,
  };
}

/** Resolves with the reason where it cannot be. */
export async function makeVolume(
  name: string | undefined,
  sizeBytes: number | undefined,
): Promise<string | undefined> {
  try {
    const made = await createVolume(name, sizeBytes);
    toast({ id: 'toast.volumeCreated', values: { name: made.Name } });
  } catch (error) {
    return messageOf(error);
  }
  await loadVolumes();
  return undefined;
}

/** After a word of what is lost. */
export async function askAndRemove({ name }: VolumeRow): Promise<void> {
  const agreed = await ask({
    title: { id: 'volumes.removeTitle', values: { name } },
    body: [{ id: 'volumes.removeBody' }],
    confirm: { id: 'remove.confirm', values: { count: 1, name } },
  });
  if (!agreed) return;
  try {
    await removeVolume(name);
    toast({ id: 'toast.volumeRemoved', values: { name } });
  } catch (error) {
    toastError({ id: 'failed.volumeRemove', values: { name } }, error);
  }
  await loadVolumes();
}

export const dryRunSize = (name: string, maxBytes: number | null): Promise<DryRunResult> =>
  foresee(() => setVolumeSize(name, maxBytes, true));

/** With the way back to `before`. Resolves with the reason where it cannot be. */
export async function resizeVolume(
  name: string,
  maxBytes: number | null,
  before: number | null,
): Promise<string | undefined> {
  try {
    await setVolumeSize(name, maxBytes);
  } catch (error) {
    return messageOf(error);
  }
  toast(
    { id: 'toast.volumeSize', values: { name } },
    { label: { id: 'action.undo' }, run: () => void undoSize(name, before) },
  );
  await loadVolumes();
  return undefined;
}

async function undoSize(name: string, before: number | null): Promise<void> {
  try {
    await setVolumeSize(name, before);
    toast({ id: 'toast.volumeSizeUndone', values: { name } });
  } catch (error) {
    toastError({ id: 'failed.volumeSizeUndo', values: { name } }, error);
  }
  await loadVolumes();
}
