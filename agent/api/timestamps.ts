/** Formats and parses times of Docker's clients. */
import { invalid } from '../errors.ts';

/** Zero value of Go's time.Time, which Docker sends for "never". */
export const never = '0001-01-01T00:00:00Z';

export function rfc3339(time: Date | undefined): string {
  return time === undefined ? never : time.toISOString();
}

/** Formats RFC 3339 with nine digits, so that columns align (moby jsonmessage.RFC3339NanoFixed). */
export function rfc3339Nano(time: Date, nanos: number): string {
  return `${time.toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}Z`;
}

/** Unix time in seconds, rounded down. */
export function unixSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/** Parses `1136073600` or `1136073600.000000001`; returns `undefined` for zero or an empty value, which mean no bound. */
export function parseUnixTime(name: string, text: string | undefined): Date | undefined {
  if (text === undefined || text === '' || text === '0') return undefined;
  if (!/^-?\d{1,12}(\.\d{1,9})?$/.test(text))
    throw invalid(
      `bad parameter: "${name}" must be a Unix time such as 1136073600.5, not "${text}"`,
    );
  return new Date(Number(text) * 1000);
}

/**
 * Parses the time of the `until` filter: a Unix time, an RFC 3339 date, or a Go duration before `now`. Throws
 * invalid.
 */
export function parseMoment(text: string, now: Date): Date {
  if (/^-?\d{1,12}(\.\d{1,9})?$/.test(text)) return new Date(Number(text) * 1000);
  const durationMs = parseGoDuration(text);
  if (durationMs !== undefined) return new Date(now.getTime() - durationMs);
  if (/^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(Date.parse(text))) return new Date(text);
  throw invalid(
    `invalid time "${text}": write a duration (10m, 1h30m), a date (2026-01-02T15:04:05Z) or a Unix time`,
  );
}

const unitMs: Record<string, number> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/**
 * Parses a Go duration such as `1h30m`, `1.5s` or `-10m` (time.ParseDuration) into milliseconds; returns `undefined`
 * for other text.
 */
export function parseGoDuration(text: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)$/.exec(text);
  if (match === null) return undefined;
  const total = [...match[2]!.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
    .map(([, amount, unit]) => Number(amount) * unitMs[unit!]!)
    .reduce((sum, part) => sum + part, 0);
  return match[1] === '-' ? -total : total;
}
