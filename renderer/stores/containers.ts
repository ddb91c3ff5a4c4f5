/**
 * The containers, as rows. The list is read once when the engine is reached; after that its events
 * change single rows. What an event does not say (ports, a new container) is read for that row alone,
 * several rows in one request. A row that an event changed while it was read is read once more.
 */
import { create } from 'zustand';
import type { ContainerStatus, ContainerVerb } from '../../agent/contract/container.ts';
import { listContainers } from '../bridge/containers.ts';
import type { EventMessage } from '../bridge/system.ts';
import { type ContainerRow, toRow } from './container-row.ts';
import { Freshness } from './freshness.ts';
import { atSwitch, perMachine } from './per-machine.ts';
import { messageOf } from './sentence.ts';

export interface ContainersState {
  rows: ReadonlyMap<string, ContainerRow>;
  loaded: boolean;
  error: string | undefined;
  /** What was asked of a container and is not done yet. */
  pending: ReadonlyMap<string, ContainerVerb>;
}

export const useContainers = perMachine(
  create<ContainersState>()(() => ({
    rows: new Map(),
    loaded: false,
    error: undefined,
    pending: new Map(),
  })),
);

let freshness = new Freshness();
atSwitch(() => {
  freshness = new Freshness();
  unread.clear();
  clearTimeout(reading);
  reading = undefined;
});

export async function loadContainers(): Promise<void> {
  try {
    const { answer, isStale } = await freshness.read(() => listContainers());
    const listed = answer.map(toRow);
    const before = [...useContainers.getState().rows.values()];
    const rows = [
      ...listed.filter((row) => !isStale(row.id)),
      ...before.filter((row) => isStale(row.id)),
    ];
    useContainers.setState({
      rows: new Map(rows.map((row) => [row.id, row])),
      loaded: true,
      error: undefined,
    });
    for (const { id } of [...listed, ...before]) if (isStale(id)) readSoon(id);
  } catch (error) {
    useContainers.setState({ error: messageOf(error) });
  }
}

/** By id, name or the start of an id, as links and people write it. */
export function findContainer(
  rows: ReadonlyMap<string, ContainerRow>,
  reference: string,
): ContainerRow | undefined {
  const exact = rows.get(reference);
  if (exact) return exact;
  const all = [...rows.values()];
  return (
    all.find((row) => row.name === reference) ??
    (reference.length >= 4 ? all.find((row) => row.id.startsWith(reference)) : undefined)
  );
}

const statusAfter: Record<string, ContainerStatus> = {
  start: 'running',
  die: 'exited',
  pause: 'paused',
  unpause: 'running',
};

export function applyContainerEvent(event: EventMessage): void {
  const id = event.Actor?.ID ?? '';
  const attributes = event.Actor?.Attributes ?? {};
  // `exec_start: sh` and `health_status: healthy` carry their detail behind a colon.
  const action = event.Action?.split(':')[0] ?? '';
  if (action in statusAfter || action === 'destroy' || needsReading.has(action))
    freshness.change(id);
  if (action === 'destroy') {
    forget(id);
    return;
  }
  const status = statusAfter[action];
  if (status) {
    const exitCode = action === 'die' ? Number(attributes.exitCode ?? 0) : undefined;
    patch(id, { status, exitCode });
  }
  if (action === 'rename' && attributes.name) patch(id, { name: attributes.name });
  if (needsReading.has(action)) readSoon(id);
}

/** Events after which a row shows more than the event tells. */
const needsReading = new Set(['create', 'start', 'die', 'rename', 'health_status', 'update']);

export function patch(id: string, change: Partial<ContainerRow>): void {
  useContainers.setState(({ rows }) => {
    const row = rows.get(id);
    return row ? { rows: new Map(rows).set(id, { ...row, ...change }) } : {};
  });
}

export function setPending(id: string, verb: ContainerVerb | undefined): void {
  useContainers.setState(({ pending }) => {
    const next = new Map(pending);
    if (verb) next.set(id, verb);
    else next.delete(id);
    return { pending: next };
  });
}

function forget(id: string): void {
  useContainers.setState(({ rows, pending }) => {
    const nextRows = new Map(rows);
    const nextPending = new Map(pending);
    nextRows.delete(id);
    nextPending.delete(id);
    return { rows: nextRows, pending: nextPending };
  });
}

const unread = new Set<string>();
let reading: ReturnType<typeof setTimeout> | undefined;

function readSoon(id: string): void {
  unread.add(id);
  if (reading === undefined) reading = setTimeout(() => void readRows(), 30);
}

async function readRows(): Promise<void> {
  reading = undefined;
  const ids = [...unread];
  unread.clear();
  try {
    const { answer, isStale } = await freshness.read(() => listContainers(ids));
    useContainers.setState(({ rows }) => {
      const next = new Map(rows);
      for (const row of answer.map(toRow)) if (!isStale(row.id)) next.set(row.id, row);
      return { rows: next };
    });
    for (const id of ids) if (isStale(id)) readSoon(id);
  } catch {
    // The engine went away; when it is back the whole list is read again.
  }
}
