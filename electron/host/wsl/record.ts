/** What the host remembers of the machine: which system it has, and what it was last given. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface MachineRecord {
  /** The digest of the system that it starts with. */
  root: string;
  /** The one before it, kept until the new one has reached its engine. */
  previousRoot?: string;
  /** One that did not reach its engine; it is not received again. */
  refusedRoot?: string;
  /** When it was made larger than WSL makes it. */
  diskBytes?: number;
  proxiesInContainers?: boolean;
  /** A digest of the files given to it. */
  given?: string;
}

/** Undefined when there is none, or one that a crash or an older app left unreadable. */
export function readRecord(path: string): MachineRecord | undefined {
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as Partial<MachineRecord>;
    return typeof found.root === 'string' ? { ...found, root: found.root } : undefined;
  } catch {
    // Then the system is received again, which loses nothing.
    return undefined;
  }
}

function writeRecord(path: string, record: MachineRecord): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(record), { mode: 0o600, flush: true });
  renameSync(draft, path);
}

/** The rest stays as it is by now: people may have set it while this was being done. */
export function changeRecord(path: string, change: Partial<MachineRecord>): void {
  const { root, ...rest } = { ...readRecord(path), ...change };
  if (root !== undefined) writeRecord(path, { root, ...rest });
}
