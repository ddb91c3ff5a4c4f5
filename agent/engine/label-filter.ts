import type { LabelFilter } from '../api/containers/backend.ts';

/** Whether labels pass every filter: `key`, `key=value`, or a negation of these. */
export function matchesLabels(
  labels: Record<string, string>,
  filters: readonly LabelFilter[],
): boolean {
  return filters.every(({ key, value, negated }) => {
    const has = key in labels && (value === undefined || labels[key] === value);
    return has !== negated;
  });
}
