/**
 * Reads and writes `machines.json`, the list of added machines. It is replaced in one step, so that a
 * crash leaves the old or the new list; a broken file is kept under another name.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type {
  MachineEntry,
  MachineKind,
  RemoteAddress,
  RemoteChoices,
} from '../../contract/machines.ts';
import { defaultChoices } from '../../contract/machines.ts';

const version = 1;
const kinds = ['native', 'qemu', 'wsl2', 'apple', 'remote'] as const satisfies MachineKind[];

export interface MachineFile {
  entries: MachineEntry[];
  /** Tells that the file was broken, and its new name. */
  notice?: string;
}

export function readMachineFile(path: string): MachineFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { entries: [] };
    throw new Error(
      `The list of machines ${path} cannot be read: ${(error as Error).message}. Make it readable, or move it away.`,
      { cause: error },
    );
  }
  try {
    return { entries: parse(text) };
  } catch (error) {
    const aside = `${path}.broken-${new Date().toISOString().replaceAll(':', '-')}`;
    renameSync(path, aside);
    return {
      entries: [],
      notice:
        `The list of machines was broken (${(error as Error).message}) and is kept as ${aside}. ` +
        'Add the machines again, or repair that file and put it back.',
    };
  }
}

/** The file contains host and user names, so only its owner may read it. */
export function writeMachineFile(path: string, entries: readonly MachineEntry[]): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  const descriptor = openSync(fresh, 'w', 0o600);
  try {
    writeFileSync(descriptor, `${JSON.stringify({ version, machines: entries }, null, 2)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(fresh, path);
}

function parse(text: string): MachineEntry[] {
  const document = JSON.parse(text) as { version?: unknown; machines?: unknown };
  if (document?.version !== version)
    throw new Error(`its version is ${JSON.stringify(document?.version)}, not ${version}`);
  if (!Array.isArray(document.machines)) throw new Error('it has no list of machines');
  const entries = document.machines.map(toEntry);
  if (new Set(entries.map(({ id }) => id)).size < entries.length)
    throw new Error('two machines have one id');
  return entries;
}

function toEntry(value: unknown): MachineEntry {
  const { id, name, kind, remote, choices, startsWithApp } = (value ?? {}) as Record<
    string,
    unknown
  >;
  if (typeof id !== 'string' || !/^[a-z0-9-]{1,32}$/.test(id) || typeof name !== 'string')
    throw new Error('a machine has no proper id or name');
  const known = kinds.find((one) => one === kind);
  if (known === undefined) throw new Error(`the kind of "${name}" is not known`);
  return {
    id,
    name,
    kind: known,
    ...(known === 'remote' ? { remote: toAddress(remote, name), ...toChoices(choices) } : {}),
    ...(startsWithApp === true ? { startsWithApp } : {}),
  };
}

function toAddress(value: unknown, name: string): RemoteAddress {
  const { host, port, user, keyFile } = (value ?? {}) as Record<string, unknown>;
  if (typeof host !== 'string' || host === '') throw new Error(`"${name}" has no host`);
  return {
    host,
    ...(typeof port === 'number' ? { port } : {}),
    ...(typeof user === 'string' ? { user } : {}),
    ...(typeof keyFile === 'string' ? { keyFile } : {}),
  };
}

/** A missing or invalid choice has its default. */
function toChoices(value: unknown): { choices?: RemoteChoices } {
  if (typeof value !== 'object' || value === null) return {};
  const { portsHere, foldersThere } = value as Record<string, unknown>;
  return {
    choices: {
      portsHere: typeof portsHere === 'boolean' ? portsHere : defaultChoices.portsHere,
      foldersThere: foldersThere === true,
    },
  };
}
