/**
 * What is set on a Limits page but not applied. It outlives the page, and the engine: who comes back finds
 * it. Only what was touched is kept, so that what others change meanwhile stays as they set it.
 */
import { create } from 'zustand';
import { perMachine } from '../../stores/per-machine.ts';
import type { Draft } from './draft.ts';

export type Edits = Partial<Draft>;

export const useEdits = perMachine(
  create<{ of: Readonly<Record<string, Edits>> }>()(() => ({ of: {} })),
);

export function edit(id: string, part: Edits): void {
  useEdits.setState(({ of }) => ({ of: { ...of, [id]: { ...of[id], ...part } } }));
}

export function dropEdits(id: string): void {
  useEdits.setState(({ of: { [id]: _, ...others } }) => ({ of: others }));
}

/** What was applied; what was moved meanwhile is still to be applied. */
export function settleEdits(id: string, applied: Edits): void {
  const left = Object.entries(useEdits.getState().of[id] ?? {}).filter(
    ([name, value]) => !Object.is(applied[name as keyof Draft], value),
  );
  dropEdits(id);
  if (left.length > 0) edit(id, Object.fromEntries(left));
}
