import { useCallback, useRef, useState } from 'react';

export type Selection = Record<string, true>;

/** Which rows are chosen. A range goes from the row that was chosen last. */
export function useSelection(order: readonly string[]) {
  const [selection, setSelection] = useState<Selection>({});
  const last = useRef<string>(undefined);
  const latestOrder = useRef(order);
  latestOrder.current = order;

  const select = useCallback((id: string, selected: boolean, range: boolean) => {
    const ids = range ? between(latestOrder.current, last.current, id) : [id];
    last.current = id;
    setSelection((before) => withAll(before, ids, selected));
  }, []);

  const selectMany = useCallback((ids: readonly string[], selected: boolean) => {
    setSelection((before) => withAll(before, ids, selected));
  }, []);

  const clear = useCallback(() => setSelection({}), []);
  return { selection, setSelection, select, selectMany, clear };
}

function withAll(before: Selection, ids: readonly string[], selected: boolean): Selection {
  const next = { ...before };
  for (const id of ids)
    if (selected) next[id] = true;
    else delete next[id];
  return next;
}

function between(order: readonly string[], from: string | undefined, to: string): string[] {
  const start = from === undefined ? -1 : order.indexOf(from);
  const end = order.indexOf(to);
  if (start === -1 || end === -1) return [to];
  return order.slice(Math.min(start, end), Math.max(start, end) + 1);
}
