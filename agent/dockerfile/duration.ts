/** Durations as Go writes them (time.ParseDuration): `1m30s`, `1.5s`, `0`. */

const unitNanos: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** In nanoseconds. Undefined for what is no duration. */
export function durationNanos(text: string): number | undefined {
  const [, sign = '', rest = ''] = /^([-+]?)(.*)$/s.exec(text) ?? [];
  if (rest === '0') return 0;
  const parts = [...rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy)];
  const length = parts.reduce((sum, [part]) => sum + part.length, 0);
  if (rest === '' || length !== rest.length) return undefined;
  const nanos = parts.reduce((sum, [, value, unit]) => sum + Number(value) * unitNanos[unit!]!, 0);
  return Math.round(sign === '-' ? -nanos : nanos);
}
