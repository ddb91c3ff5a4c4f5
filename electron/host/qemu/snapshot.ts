/**
 * Saves a stopped machine's memory, so that the next start restores it instead of booting. It can be
 * restored once, and only with an unchanged disk (docs/decisions/0016-machine-disks-and-rest.md).
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

/** With `mapped-ram` each page has a fixed place in the file, and a zero page takes no block. */
const oldestQemu: [number, number, number] = [9, 0, 0];

export interface SnapshotKey {
  /** QEMU's version line, the image's digest and the command line, which must be equal at a restore. */
  parts: readonly string[];
  dataDisk: string;
}

interface SnapshotNote {
  version: 1;
  key: string;
  /** Emulated and accelerated machines cannot restore each other's memory. */
  accelerators: Accelerator[];
}

const noteOf = (path: string) => `${path}.json`;
/** The snapshot was restored, and must not be used again. */
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

/** Saves the memory of a machine whose CPUs were halted with `stop`. */
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
  // QEMU has released the disk's file by now (inactive block devices), and no longer writes to it.
  await qmp.run('quit').catch(() => {});
  await qmp.closed;
  const note: SnapshotNote = { version: 1, key: digestOf(key), accelerators: [...accelerators] };
  writeFileSync(`${noteOf(path)}.new`, JSON.stringify(note), { mode: 0o600 });
  renameSync(`${noteOf(path)}.new`, noteOf(path));
}

/** The accelerator and settings of the saved machine, which a restore needs; undefined without a snapshot. */
export function savedAccelerators(path: string): Accelerator[] | undefined {
  try {
    return (JSON.parse(readFileSync(noteOf(path), 'utf8')) as SnapshotNote).accelerators;
  } catch {
    return undefined;
  }
}

/** Whether the snapshot fits this QEMU, image, settings and disk. One that does not is removed. */
export function hasSnapshot(path: string, key: SnapshotKey): boolean {
  try {
    const note = JSON.parse(readFileSync(noteOf(path), 'utf8')) as SnapshotNote;
    if (note.version === 1 && note.key === digestOf(key) && existsSync(path)) return true;
  } catch {
    // There is no snapshot, or a partial one.
  }
  dropSnapshot(path);
  return false;
}

/** Loads the snapshot into a QEMU that was started with `-incoming defer`, and runs it. */
export async function restoreSnapshot(qmp: Qmp, path: string): Promise<void> {
  // The note is removed first, because a second restore of the same memory would destroy the disk.
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

/** Freeing hundreds of megabytes takes the file system a while, and the start does not wait for it. */
function removeInBackground(path: string): void {
  if (!existsSync(path)) return;
  renameSync(path, usedOf(path));
  // A file that remains is removed by the next stop or start.
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
  // QEMU's default bandwidth limit is for networks, and a file needs none.
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

/** The disk file's inode, size and times, which any write changes. */
function digestOf({ parts, dataDisk }: SnapshotKey): string {
  const { size, mtimeNs, ino } = statSync(dataDisk, { bigint: true });
  return createHash('sha256')
    .update(JSON.stringify([...parts, String(size), String(mtimeNs), String(ino)]))
    .digest('hex');
}

/** Paths of sockets are left out, since they are not part of the machine. */
export const nowhere = { listen: '' };

/** A digest of everything that must be equal for a restore. */
export function snapshotKey(
  files: Pick<MachineDirectory, 'dataDisk'>,
  found: FoundQemu,
  plan: QemuPlan,
): SnapshotKey {
  const words = qemuArguments({ ...plan, qmp: nowhere, ssh: nowhere, restores: false });
  return { parts: [found.build, ...words], dataDisk: files.dataDisk };
}
