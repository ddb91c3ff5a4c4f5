/** The limits that come in rows: one for each disk, one for each size of huge pages. */
import type { HugetlbLimits, IoDeviceLimits } from '../../../agent/contract/limits.ts';

export interface DeviceDraft {
  device: string;
  readBytesPerSecond: number | undefined;
  writeBytesPerSecond: number | undefined;
  readOperationsPerSecond: number | undefined;
  writeOperationsPerSecond: number | undefined;
}

export interface PagesDraft {
  pageBytes: number | undefined;
  maxBytes: number | undefined;
  reservedMaxBytes: number | undefined;
}

const rates = [
  'readBytesPerSecond',
  'writeBytesPerSecond',
  'readOperationsPerSecond',
  'writeOperationsPerSecond',
] as const;
const pageLimits = ['maxBytes', 'reservedMaxBytes'] as const;

export const noDevice: DeviceDraft = { device: '', ...filled(rates) };
export const noPages: PagesDraft = { pageBytes: undefined, ...filled(pageLimits) };

/** A row whose limits were all taken away is not shown again. */
export function toDevices(devices: readonly IoDeviceLimits[] = []): DeviceDraft[] {
  return devices
    .filter((entry) => rates.some((name) => entry[name] != null))
    .map((entry) => ({ device: entry.device, ...filled(rates, entry) }));
}

export function toPages(pages: readonly HugetlbLimits[] = []): PagesDraft[] {
  return pages
    .filter((entry) => pageLimits.some((name) => entry[name] != null))
    .map((entry) => ({ pageBytes: entry.pageBytes, ...filled(pageLimits, entry) }));
}

export function changedDevices(before: DeviceDraft[], after: DeviceDraft[]): IoDeviceLimits[] {
  return changedRows('device', rates, before, after)
    .filter(({ of }) => of !== '')
    .map(({ of, limits }) => ({ device: of, ...limits }));
}

export function changedPages(before: PagesDraft[], after: PagesDraft[]): HugetlbLimits[] {
  return changedRows('pageBytes', pageLimits, before, after).flatMap(({ of, limits }) =>
    of === undefined ? [] : [{ pageBytes: of, ...limits }],
  );
}

/** Rows that differ, by what they are of; each with all of its limits, null for none. */
function changedRows<
  K extends string,
  N extends string,
  Row extends Record<K, unknown> & Record<N, number | undefined>,
>(key: K, names: readonly N[], before: readonly Row[], after: readonly Row[]) {
  return [...new Set([...before, ...after].map((row) => row[key]))].flatMap((of) => {
    const old = before.find((row) => row[key] === of);
    const now = after.find((row) => row[key] === of);
    if (names.every((name) => old?.[name] === now?.[name])) return [];
    const limits = Object.fromEntries(names.map((name) => [name, now?.[name] ?? null]));
    return [{ of, limits: limits as Record<N, number | null> }];
  });
}

function filled<N extends string>(
  names: readonly N[],
  from: Partial<Record<N, number | null>> = {},
): Record<N, number | undefined> {
  const entries = names.map((name) => [name, from[name] ?? undefined]);
  return Object.fromEntries(entries) as Record<N, number | undefined>;
}
