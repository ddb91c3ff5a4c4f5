/** A look between two rounds: whether containers contend at this moment, and who of them uses the processors. */
import { setTimeout as sleep } from 'node:timers/promises';
import { inBreaths } from './breaths.ts';
import type { Contention } from './contention.ts';

/** Five ticks of proc_stat(5), by which it tells a busy machine. */
const lookMs = 50;

export interface Looked {
  /** Those that run now. */
  ids: () => readonly string[];
  /** Of processors, since its start; undefined: it has ended. */
  usedNanos: (id: string) => number | undefined;
  contention: Contention;
}

/** What share of one processor each uses; undefined: they do not contend. */
export async function lookBriefly(looked: Looked): Promise<Map<string, number> | undefined> {
  const { ids, contention } = looked;
  contention.look(ids().length);
  const before = await readAll(looked);
  await sleep(lookMs, undefined, { ref: false });
  if (!contention.look(ids().length)) return undefined;
  const used = new Map<string, number>();
  for (const [id, { atMs, nanos }] of await readAll(looked)) {
    const first = before.get(id);
    if (first !== undefined) used.set(id, (nanos - first.nanos) / 1e6 / (atMs - first.atMs));
  }
  return used;
}

async function readAll({ ids, usedNanos }: Looked) {
  const read = new Map<string, { atMs: number; nanos: number }>();
  for await (const id of inBreaths(ids())) {
    const nanos = usedNanos(id);
    if (nanos !== undefined) read.set(id, { atMs: performance.now(), nanos });
  }
  return read;
}
