/**
 * What is set in a form but not applied. It outlives the form, the engine and a look at another machine: who
 * comes back finds it. Only what was touched is kept, so that what others change meanwhile stays as they set it.
 */
import { create } from 'zustand';

/** By the id of what the form is about, which no other machine has anything of. */
export function createEdits<Draft extends object>() {
  const useEdits = create<{ of: Readonly<Record<string, Partial<Draft>>> }>()(() => ({ of: {} }));

  function edit(id: string, part: Partial<Draft>): void {
    useEdits.setState(({ of }) => ({ of: { ...of, [id]: { ...of[id], ...part } } }));
  }

  function drop(id: string): void {
    useEdits.setState(({ of: { [id]: _, ...others } }) => ({ of: others }));
  }

  /** What was applied; what was moved meanwhile is still to be applied. */
  function settle(id: string, applied: Partial<Draft>): void {
    const left = Object.entries(useEdits.getState().of[id] ?? {}).filter(
      ([name, value]) => !Object.is(applied[name as keyof Draft], value),
    );
    drop(id);
    if (left.length > 0) edit(id, Object.fromEntries(left) as Partial<Draft>);
  }

  return { useEdits, edit, drop, settle };
}
