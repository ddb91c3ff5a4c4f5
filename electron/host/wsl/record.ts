/** The machine's record on Windows: its system images, and the files that were last written into it. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface MachineRecord {
  /** The digest of the current system image. */
  root: string;
  /** The image before, which is kept until the engine of the new one has answered. */
  previousRoot?: string;
  /** An image whose engine did not answer; it is not unpacked again. */
  refusedRoot?: string;
  /** The disk's size, where it was grown beyond WSL's default. */
  diskBytes?: number;
  proxiesInContainers?: boolean;
  /** A digest of the files that were written into the distribution. */
  given?: string;
}

/** Undefined when there is no record, or an unreadable one of a crash or an older app. */
export function readRecord(path: string): MachineRecord | undefined {
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as Partial<MachineRecord>;
    return typeof found.root === 'string' ? { ...found, root: found.root } : undefined;
  } catch {
    // Without a record the system is unpacked again, which loses no data.
    return undefined;
  }
}

function writeRecord(path: string, record: MachineRecord): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(record), { mode: 0o600, flush: true });
  renameSync(draft, path);
}

/** Changes only the given fields, since others may have changed meanwhile. Does nothing while no image is recorded. */
export function changeRecord(path: string, change: Partial<MachineRecord>): void {
  const { root, ...rest } = { ...readRecord(path), ...change };
  if (root !== undefined) writeRecord(path, { root, ...rest });
}
