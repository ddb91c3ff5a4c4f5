/** What people do with containers, with the toast, the question and the undo that go with it. */
import { allows, type ContainerVerb } from '../../agent/contract/container.ts';
import {
  type ContainerCommand,
  commandContainer,
  removeContainer,
  renameContainer,
} from '../bridge/containers.ts';
import type { ContainerRow } from './container-row.ts';
import { patch, setPending, useContainers } from './containers.ts';
import { ask } from './question.ts';
import { toast, toastError } from './toasts.ts';

/** The verbs that a button can stand for, in the order that menus show them. */
export const rowCommands = ['start', 'stop', 'restart', 'pause', 'unpause', 'kill'] as const;

/** Whether a verb may be asked of a row now: what is already asked of it comes first. */
export function mayAsk(row: ContainerRow, verb: ContainerVerb, pending?: ContainerVerb): boolean {
  if (pending) return false;
  // A running container is removed by force, after a question.
  return verb === 'remove' ? row.status !== 'removing' : allows(verb, row.status);
}

export async function command(ids: readonly string[], verb: ContainerCommand): Promise<void> {
  const rows = rowsOf(ids).filter((row) => mayAsk(row, verb));
  const done = await forEachRow(rows, verb, (row) => commandContainer(row.id, verb));
  if (verb === 'stop' || verb === 'kill') toastStopped(done);
}

export async function remove(ids: readonly string[]): Promise<void> {
  const rows = rowsOf(ids).filter((row) => mayAsk(row, 'remove'));
  if (rows.length === 0 || !(await agreedToLose(rows))) return;
  const done = await forEachRow(rows, 'remove', (row) =>
    removeContainer(row.id, !allows('remove', row.status)),
  );
  if (done.length > 0)
    toast({ id: 'toast.removed', values: { count: done.length, name: done[0]!.name } });
}

export async function rename(row: ContainerRow, name: string): Promise<void> {
  const before = row.name;
  await renameContainer(row.id, name);
  patch(row.id, { name });
  toast(
    { id: 'toast.renamed', values: { before, name } },
    {
      label: { id: 'action.undo' },
      run: () =>
        renameContainer(row.id, before).then(
          () => patch(row.id, { name: before }),
          (error) => toastError({ id: 'failed.rename', values: { name } }, error),
        ),
    },
  );
}

/** Stopped containers without data of their own go without a question. */
async function agreedToLose(rows: ContainerRow[]): Promise<boolean> {
  const running = rows.filter((row) => !allows('remove', row.status)).length;
  const volumes = rows.reduce((sum, row) => sum + row.anonymousVolumes, 0);
  if (running === 0 && volumes === 0) return true;
  const values = { count: rows.length, name: rows[0]!.name };
  return ask({
    title: { id: 'remove.title', values },
    body: [
      ...(running > 0 ? [{ id: 'remove.running' as const, values: { count: running } }] : []),
      ...(volumes > 0 ? [{ id: 'remove.volumes' as const, values: { count: volumes } }] : []),
      { id: 'remove.forever' },
    ],
    confirm: { id: 'remove.confirm', values },
  });
}

/** A few at a time: an engine with a thousand containers is asked politely. */
const atOnce = 8;

/** Asks the engine for every row; the rows that it did. Each failure gets its own toast. */
async function forEachRow(
  rows: ContainerRow[],
  verb: ContainerVerb,
  act: (row: ContainerRow) => Promise<void>,
): Promise<ContainerRow[]> {
  for (const row of rows) setPending(row.id, verb);
  const waiting = [...rows];
  const done: ContainerRow[] = [];
  const work = async () => {
    for (let row = waiting.shift(); row; row = waiting.shift()) {
      try {
        await act(row);
        done.push(row);
      } catch (error) {
        toastError({ id: `failed.${verb}` as 'failed.start', values: { name: row.name } }, error);
      } finally {
        setPending(row.id, undefined);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, rows.length) }, work));
  return done;
}

function toastStopped(rows: ContainerRow[]): void {
  if (rows.length === 0) return;
  toast(
    { id: 'toast.stopped', values: { count: rows.length, name: rows[0]!.name } },
    {
      label: { id: 'action.undo' },
      run: () =>
        void command(
          rows.map((row) => row.id),
          'start',
        ),
    },
  );
}

function rowsOf(ids: readonly string[]): ContainerRow[] {
  const { rows } = useContainers.getState();
  return ids.flatMap((id) => rows.get(id) ?? []);
}
