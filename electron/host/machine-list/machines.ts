/**
 * All machines of the app: this computer's own and those that were added. Each has its own life cycle,
 * and none waits for another; one watch covers all of them.
 */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type {
  MachineEntry,
  MachineKind,
  Machines,
  RemoteAddress,
  RemoteChoices,
  Removal,
} from '../../contract/machines.ts';
import { defaultChoices } from '../../contract/machines.ts';
import type { Forwarding } from '../forwarding/forwarding.ts';
import { createMachine, type MachineOptions } from '../machine/lifecycle.ts';
import type { Machine } from '../machine/machine.ts';
import type { Toggle } from '../machine/toggle.ts';
import { readMachineFile, writeMachineFile } from './machine-file.ts';

export interface MachinesOptions {
  /** This computer's own machines, which come first and cannot be removed. */
  own: readonly MachineEntry[];
  /** Constructs machines of each kind that is possible here. */
  factories: Partial<Record<MachineKind, MachineFactory>>;
  /** The path of `machines.json`. */
  file: string;
}

export type MachineFactory = (entry: MachineEntry) => MachineOptions & {
  /** Its companion is added to the machine's. */
  forwarding?: Forwarding;
  /** Features that the user turns on and off; they begin as the entry says. */
  choices?: Record<keyof RemoteChoices, Toggle>;
  foldersAt?: string;
  /** Only for machines with an address. */
  moveTo?(address: RemoteAddress): Promise<void>;
};

export interface MachineList {
  /** Throws NoSuchMachine. */
  get(id: string): Machine;
  entry(id: string): MachineEntry;
  /** Throws for a machine without a Docker context. */
  forwarding(id: string): Forwarding;
  list(): Machines;
  watch(signal: AbortSignal): AsyncIterable<Machines>;
  add(machine: Omit<MachineEntry, 'id'>): MachineEntry;
  rename(id: string, name: string): void;
  choose(id: string, choices: Partial<RemoteChoices>): void;
  /** Changes a remote machine's address. It is disconnected for that; its containers run on. */
  moveTo(id: string, address: RemoteAddress): Promise<void>;
  remove(id: string, removal: Removal): Promise<void>;
  /** For the user's own starts and stops, which are remembered for the app's next start. */
  start(id: string): ReturnType<Machine['start']>;
  stop(id: string, options?: { force?: boolean }): ReturnType<Machine['stop']>;
  /** Starts this computer's own machines, and those that were running when the app was closed. */
  startAll(): void;
  /** For the app's end; it is not remembered as the user's stop. Rejects with the first failure after all were tried. */
  stopAll(): Promise<void>;
}

export class NoSuchMachine extends Error {
  constructor(id: string) {
    super(`There is no machine "${id}". It may have been removed.`);
    this.name = 'NoSuchMachine';
  }
}

interface Kept {
  entry: MachineEntry;
  machine: Machine;
  forwarding: Forwarding | undefined;
  choices: ReturnType<MachineFactory>['choices'];
  foldersAt: string | undefined;
  moveTo: ReturnType<MachineFactory>['moveTo'];
  unwatch: AbortController;
}

export function createMachines({ own, factories, file }: MachinesOptions): MachineList {
  const kept = new Map<string, Kept>();
  const watchers = new Set<() => void>();
  const { entries, notice } = readMachineFile(file);
  const notices = notice === undefined ? [] : [notice];
  /** Entries of a kind that is impossible here, such as in a file of another system; they are kept. */
  const foreign: MachineEntry[] = [];
  for (const entry of [...own, ...entries]) {
    if (factories[entry.kind] === undefined) foreign.push(entry);
    else if (!kept.has(entry.id)) keep(entry);
  }

  function keep(entry: MachineEntry): Kept {
    const factory = factories[entry.kind];
    if (factory === undefined)
      throw new Error(`A machine of the kind "${entry.kind}" cannot be made on this computer.`);
    const { forwarding, choices, foldersAt, moveTo, companions = [], ...options } = factory(entry);
    const own = forwarding?.companion;
    const made: Kept = {
      entry,
      machine: createMachine({
        ...options,
        companions: own === undefined ? companions : [...companions, own],
      }),
      forwarding,
      choices,
      foldersAt,
      moveTo,
      unwatch: new AbortController(),
    };
    kept.set(entry.id, made);
    void (async () => {
      for await (const _ of made.machine.watch(made.unwatch.signal)) changed();
    })();
    return made;
  }

  function changed(): void {
    for (const notify of watchers) notify();
  }

  function found(id: string): Kept {
    const one = kept.get(id);
    if (one === undefined) throw new NoSuchMachine(id);
    return one;
  }

  const isOwn = (id: string) => own.some((entry) => entry.id === id);

  function save(): void {
    const added = [...kept.values()].map(({ entry }) => entry).filter(({ id }) => !isOwn(id));
    writeMachineFile(file, [...added, ...foreign]);
    changed();
  }

  function change(id: string, part: Partial<MachineEntry>): void {
    const one = found(id);
    one.entry = { ...one.entry, ...part };
    save();
  }

  /** The start or stop itself goes on when the list cannot be written. */
  function remember(id: string, startsWithApp: boolean): void {
    if (isOwn(id) || Boolean(found(id).entry.startsWithApp) === startsWithApp) return;
    try {
      change(id, { startsWithApp });
    } catch (error) {
      notices.push(`The list of machines could not be written: ${(error as Error).message}`);
      changed();
    }
  }

  function list(): Machines {
    return {
      machines: [...kept.values()].map(({ entry, machine, choices, foldersAt }) => ({
        ...entry,
        ...(choices && { choices: entry.choices ?? defaultChoices }),
        ...(foldersAt !== undefined && { foldersAt }),
        state: machine.state(),
        removable: !isOwn(entry.id),
      })),
      kinds: (Object.keys(factories) as MachineKind[]).filter(
        // A computer has only one native machine.
        (kind) => kind !== 'native',
      ),
      notices: [...notices],
    };
  }

  return {
    get: (id) => found(id).machine,
    entry: (id) => found(id).entry,
    forwarding(id) {
      const { forwarding } = found(id);
      if (forwarding === undefined) throw new Error('This machine has no Docker context here.');
      return forwarding;
    },
    list,
    async *watch(signal) {
      let isFresh = true;
      let wake = () => {};
      const notify = () => {
        isFresh = true;
        wake();
      };
      watchers.add(notify);
      signal.addEventListener('abort', notify);
      try {
        while (!signal.aborted) {
          if (isFresh) {
            isFresh = false;
            yield list();
          } else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } finally {
        watchers.delete(notify);
        signal.removeEventListener('abort', notify);
      }
    },
    add(machine) {
      const { entry } = keep({ ...checked(machine), id: newId() });
      try {
        save();
      } catch (error) {
        found(entry.id).unwatch.abort();
        kept.delete(entry.id);
        throw new Error(
          `The machine could not be saved: ${(error as Error).message}. Check that ${file} can be written.`,
          { cause: error },
        );
      }
      return entry;
    },
    rename: (id, name) => change(id, { name: checkedName(name) }),
    choose(id, { portsHere, foldersThere }) {
      const { entry, choices } = found(id);
      if (choices === undefined) throw new Error('This machine has nothing to turn on or off.');
      const before = entry.choices ?? defaultChoices;
      const next: RemoteChoices = {
        portsHere: portsHere ?? before.portsHere,
        foldersThere: foldersThere ?? before.foldersThere,
      };
      // The file is written first, so that a failure leaves file and machine consistent.
      change(id, { choices: next });
      choices.portsHere.set(next.portsHere);
      choices.foldersThere.set(next.foldersThere);
    },
    async moveTo(id, address) {
      const { entry, machine, moveTo } = found(id);
      if (moveTo === undefined) throw new Error('Only another computer has an address.');
      const next = checkedAddress(address);
      if (isDeepStrictEqual(next, checkedAddress(entry.remote))) return;
      change(id, { remote: next });
      try {
        await machine.stop();
      } finally {
        await moveTo(next);
      }
    },
    async remove(id, { state, forgetOnly }) {
      const { machine, unwatch, forwarding } = found(id);
      if (isOwn(id)) throw new Error('This computer’s own machine cannot be removed.');
      if (forgetOnly) await machine.stop({ force: true });
      else await machine.remove({ state });
      forgetContext(forwarding);
      unwatch.abort();
      kept.delete(id);
      save();
    },
    start(id) {
      remember(id, true);
      return found(id).machine.start();
    },
    stop(id, options) {
      remember(id, false);
      return found(id).machine.stop(options);
    },
    startAll() {
      for (const { entry, machine } of kept.values())
        if (isOwn(entry.id) || entry.startsWithApp) void machine.start();
    },
    async stopAll() {
      const ends = await Promise.allSettled(
        [...kept.values()].map(({ machine }) => machine.stop()),
      );
      for (const { unwatch } of kept.values()) unwatch.abort();
      // The failure is thrown last, because the app ends with it, and every machine had to stop.
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
  };
}

/** A context without its machine must not stay docker's current one. */
function forgetContext(forwarding: Forwarding | undefined): void {
  try {
    if (forwarding?.context.state().isSetUp) forwarding.context.remove();
  } catch {
    // Unreadable files of the docker CLI must not prevent the removal of the machine.
  }
}

function newId(): string {
  return randomBytes(5).toString('hex');
}

const longestName = 60;

function checkedName(name: string): string {
  const trimmed = name.trim();
  if (trimmed === '' || trimmed.length > longestName)
    throw new Error(`A machine’s name has 1 to ${longestName} characters.`);
  return trimmed;
}

function checked({ name, kind, remote }: Omit<MachineEntry, 'id'>): Omit<MachineEntry, 'id'> {
  if (kind !== 'remote') return { name: checkedName(name), kind };
  return { name: checkedName(name), kind, remote: checkedAddress(remote) };
}

/** The address comes from the page and ends in a file and on a command line, so it is checked here. */
function checkedAddress(address: Partial<RemoteAddress> = {}): RemoteAddress {
  const { host = '', port, user, keyFile } = address;
  if (!/^[\w.:%-]{1,253}$/.test(host) || host.startsWith('-'))
    throw new Error(`"${host}" is no host name, address, or name of ~/.ssh/config.`);
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65536))
    throw new Error('A port is a number from 1 to 65535.');
  if (user !== undefined && !/^[\w.@\\-]{1,64}$/.test(user))
    throw new Error(`"${user}" is no user name.`);
  return { host, port, user, keyFile };
}
