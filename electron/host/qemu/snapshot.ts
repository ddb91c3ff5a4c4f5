/**
 * A stopped machine's memory, so that the next start goes on instead of booting. It is worth
 * something exactly once, and only with the disk as it was (docs/decisions/0016-machine-disks-and-rest.md).
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineDirectory } from '../virtual-machine/directory.ts';
import { type Accelerator, type QemuPlan, qemuArguments } from './command-line.ts';
import type { FoundQemu } from './find-qemu.ts';
import type { Qmp } from './qmp.ts';

/** `mapped-ram`: each page has its place in the file, and one that is zero takes none. */
const oldestQemu: [number, number, number] = [9, 0, 0];

export interface SnapshotKey {
  /** QEMU's own words for its build, the image's digest, and the command line. */
  parts: readonly string[];
  dataDisk: string;
}

interface SnapshotNote {
  version: 1;
  key: string;
  /** A processor that was emulated goes on as such, and the other way round. */
  accelerators: Accelerator[];
}

const noteOf = (path: string) => `${path}.json`;
/** Read back, and of no use any more. */
const usedOf = (path: string) => `${path}.used`;

export function canSnapshot(
  version: readonly [number, number, number],
  memoryBytes: number,
  path: string,
): boolean {
  const { bavail, bsize } = statfsSync(dirname(path));
  const newEnough = version[0] > oldestQemu[0] || version[0] === oldestQemu[0];
  return newEnough && bavail * bsize > memoryBytes + 1024 ** 3;
}

/** Saves a machine that has been stopped with `stop`. Its processes never see the time between. */
export async function saveSnapshot(
  qmp: Qmp,
  path: string,
  key: SnapshotKey,
  accelerators: readonly Accelerator[],
): Promise<void> {
  dropSnapshot(path);
  await chooseMappedRam(qmp);
  await qmp.run('migrate', { uri: `file:${path}` });
  await migrated(qmp);
  // QEMU has given the disk's file up by now, and writes to it no more.
  await qmp.run('quit').catch(() => {});
  await qmp.closed;
  const note: SnapshotNote = { version: 1, key: digestOf(key), accelerators: [...accelerators] };
  writeFileSync(`${noteOf(path)}.new`, JSON.stringify(note), { mode: 0o600 });
  renameSync(`${noteOf(path)}.new`, noteOf(path));
}

/** What the saved machine ran with, which is what it needs to go on; undefined where there is none. */
export function savedAccelerators(path: string): Accelerator[] | undefined {
  try {
    return (JSON.parse(readFileSync(noteOf(path), 'utf8')) as SnapshotNote).accelerators;
  } catch {
    return undefined;
  }
}

/** Whether what is saved belongs to this QEMU, image, settings and disk. What does not is removed. */
export function hasSnapshot(path: string, key: SnapshotKey): boolean {
  try {
    const note = JSON.parse(readFileSync(noteOf(path), 'utf8')) as SnapshotNote;
    if (note.version === 1 && note.key === digestOf(key) && existsSync(path)) return true;
  } catch {
    // None, or half of one.
  }
  dropSnapshot(path);
  return false;
}

/** Loads it into a QEMU started with `-incoming defer`, and lets it go on. */
export async function restoreSnapshot(qmp: Qmp, path: string): Promise<void> {
  // First of all its permission: a second machine from the same memory would destroy the disk.
  rmSync(noteOf(path), { force: true });
  try {
    await chooseMappedRam(qmp);
    await qmp.run('migrate-incoming', { uri: `file:${path}` });
    await migrated(qmp);
  } finally {
    removeInBackground(path);
  }
  await qmp.run('cont');
}

export function dropSnapshot(path: string): void {
  for (const each of [noteOf(path), path, usedOf(path)]) rmSync(each, { force: true });
}

/** Giving hundreds of megabytes back takes a file system a while, and a start waits for nothing of it. */
function removeInBackground(path: string): void {
  if (!existsSync(path)) return;
  renameSync(path, usedOf(path));
  // One that stays goes with the next stop or start.
  void rm(usedOf(path), { force: true }).catch(() => {});
}

export function snapshotBytes(path: string): number {
  const { blocks, size } = statSync(path, { throwIfNoEntry: false }) ?? { blocks: 0, size: 0 };
  return blocks === undefined ? size : blocks * 512;
}

async function chooseMappedRam(qmp: Qmp): Promise<void> {
  await qmp.run('migrate-set-capabilities', {
    capabilities: [{ capability: 'mapped-ram', state: true }],
  });
  // A file has no line whose speed would have to be spared.
  await qmp.run('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
}

async function migrated(qmp: Qmp): Promise<void> {
  for (;;) {
    const progress = await qmp.run<{ status?: string; 'error-desc'?: string }>('query-migrate');
    if (progress.status === 'completed') return;
    if (progress.status === 'failed' || progress.status === 'cancelled')
      throw new Error(`the machine's memory: ${progress['error-desc'] ?? progress.status}`);
    await sleep(5);
  }
}

/** The disk by what its file system says of it: any write since shows. */
function digestOf({ parts, dataDisk }: SnapshotKey): string {
  const { size, mtimeNs, ino } = statSync(dataDisk, { bigint: true });
  return createHash('sha256')
    .update(JSON.stringify([...parts, String(size), String(mtimeNs), String(ino)]))
    .digest('hex');
}

/** Sockets are where they are: they are not part of the machine. */
export const nowhere = { listen: '' };

/** Everything that must be the same for saved memory to fit. */
export function snapshotKey(
  files: Pick<MachineDirectory, 'dataDisk'>,
  found: FoundQemu,
  plan: QemuPlan,
): SnapshotKey {
  const words = qemuArguments({ ...plan, qmp: nowhere, ssh: nowhere, restores: false });
  return { parts: [found.build, ...words], dataDisk: files.dataDisk };
}
