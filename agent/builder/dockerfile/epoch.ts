/** SOURCE_DATE_EPOCH (reproducible-builds.org): the time that everything made by the build is said to be from. */
import { invalid } from '../../errors.ts';
import type { BuildOptions } from './options.ts';

/** Undefined when the client gave none. Throws invalid for what is no whole number of seconds. */
export function epochOf(
  { buildArgs }: BuildOptions,
  globalArgs: ReadonlyMap<string, string>,
): Date | undefined {
  const text = buildArgs.get('SOURCE_DATE_EPOCH') ?? globalArgs.get('SOURCE_DATE_EPOCH') ?? '';
  if (text === '') return undefined;
  const time = /^-?\d{1,12}$/.test(text) ? new Date(Number(text) * 1000) : undefined;
  if (time === undefined || Number.isNaN(time.getTime()))
    throw invalid(`invalid SOURCE_DATE_EPOCH: ${text}: give it in seconds since 1970`);
  return time;
}
