/**
 * The data disk is a sparse file that grows with use and shrinks when the guest trims. It is raw,
 * because a hole in a raw file is free space at once, and qcow2 on Windows, where QEMU punches no
 * holes (docs/decisions/0016-machine-disks-and-rest.md).
 */
import { execFile } from 'node:child_process';
import { existsSync, statfsSync, statSync } from 'node:fs';
import { open, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { StageFailure } from '../machine/machine.ts';

export interface DataDisk {
  path: string;
  format: 'raw' | 'qcow2';
}

/** The least free space on this computer with which a machine is started. */
export const leastFreeBytes = 1024 ** 3;

export function dataDiskAt(path: string): DataDisk {
  return { path, format: path.endsWith('.qcow2') ? 'qcow2' : 'raw' };
}

/** Throws StageFailure when this computer's own disk is full. */
export function checkFreeSpace(directory: string, needBytes = leastFreeBytes): void {
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  if (free < needBytes)
    throw new StageFailure(
      `This computer has ${inWords(free)} of free disk space left for ${directory}, and the machine needs ${inWords(needBytes)}.`,
      'Free some space on that disk, then start again.',
    );
}

/** Creates the disk, or grows a smaller one. A larger disk is never shrunk. */
export async function prepareDataDisk(
  disk: DataDisk,
  sizeBytes: number,
  qemuPath: string,
): Promise<void> {
  try {
    if (disk.format === 'qcow2') await prepareQcow2(disk.path, sizeBytes, qemuPath);
    else await prepareRaw(disk.path, sizeBytes);
  } catch (error) {
    if (error instanceof StageFailure) throw error;
    throw new StageFailure(
      `The machine's disk ${disk.path} cannot be prepared: ${(error as Error).message}`,
      (error as NodeJS.ErrnoException).code === 'ENOSPC' ||
        (error as NodeJS.ErrnoException).code === 'EFBIG'
        ? 'Free some space on that disk, or choose a smaller disk size in the machine’s settings.'
        : 'Check that the file and its directory belong to you.',
      { cause: error },
    );
  }
}

async function prepareRaw(path: string, sizeBytes: number): Promise<void> {
  if (!existsSync(path)) {
    const file = await open(path, 'wx', 0o600);
    await file.close();
  }
  const { size } = statSync(path);
  if (size < sizeBytes) await truncate(path, sizeBytes);
}

async function prepareQcow2(path: string, sizeBytes: number, qemuPath: string): Promise<void> {
  const tool = join(dirname(qemuPath), process.platform === 'win32' ? 'qemu-img.exe' : 'qemu-img');
  if (!existsSync(tool))
    throw new StageFailure(
      `There is no ${tool}, which makes the machine's disk.`,
      'Install QEMU with its tools (qemu-img), then start again.',
    );
  const run = promisify(execFile);
  if (existsSync(path)) {
    const { stdout } = await run(tool, ['info', '--output=json', path]);
    const known = JSON.parse(stdout) as { 'virtual-size': number };
    if (known['virtual-size'] < sizeBytes) await run(tool, ['resize', path, String(sizeBytes)]);
  } else await run(tool, ['create', '-q', '-f', 'qcow2', path, String(sizeBytes)]);
}

export function diskFigures(path: string): { sizeBytes: number; allocatedBytes: number } {
  if (!existsSync(path)) return { sizeBytes: 0, allocatedBytes: 0 };
  const { size, blocks } = statSync(path);
  // Windows reports no block count, but its qcow2 file has no holes.
  return { sizeBytes: size, allocatedBytes: blocks === undefined ? size : blocks * 512 };
}

function inWords(bytes: number): string {
  return bytes < 1024 ** 3
    ? `${Math.floor(bytes / 1024 ** 2)} MiB`
    : `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}
