/** The instruction HEALTHCHECK: `NONE`, or options and a command. */
import type { ImageConfig } from '../../contract/image.ts';
import { invalid } from '../../errors.ts';

type HealthCheck = NonNullable<ImageConfig['Healthcheck']>;

const times = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
} as const;

/** `testOf` turns the words of the command into the check's test. */
export function healthCheckOf(text: string, testOf: (command: string) => string[]): HealthCheck {
  let rest = text;
  const check: HealthCheck = {};
  for (;;) {
    const [whole, name = '', value = ''] = /^--([a-z-]+)=(\S+)\s*/.exec(rest) ?? [];
    if (whole === undefined) break;
    rest = rest.slice(whole.length);
    if (name === 'retries') check.Retries = retriesOf(value) || undefined;
    else if (name in times) check[times[name as keyof typeof times]] = nanosOf(name, value);
    else throw invalid(`unknown flag: --${name}`);
  }
  const [, type = '', command = ''] = /^(\S+)\s*(.*)$/s.exec(rest) ?? [];
  switch (type.toUpperCase()) {
    case 'NONE':
      if (command !== '') throw invalid('HEALTHCHECK NONE takes no arguments');
      return { Test: ['NONE'] };
    case 'CMD':
      if (command === '') throw invalid('Missing command after HEALTHCHECK CMD');
      return { ...check, Test: testOf(command) };
    default:
      throw invalid(`Unknown type ${JSON.stringify(type.toUpperCase())} in HEALTHCHECK (try CMD)`);
  }
}

function retriesOf(value: string): number {
  // Zero means the default.
  if (!/^\d{1,9}$/.test(value))
    throw invalid(`--retries must be a whole number and not negative, not ${value}`);
  return Number(value);
}

const unitNanos: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Parses a Go duration such as `1m30s` or `1.5s` into nanoseconds. */
function nanosOf(name: string, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/gy)];
  const length = parts.reduce((sum, [part]) => sum + part.length, 0);
  const nanos = parts.reduce(
    (sum, [, value, unit]) => sum + Number(value) * (unitNanos[unit ?? ''] ?? 0),
    0,
  );
  if (length !== text.length || text === '')
    throw invalid(`--${name} is a duration such as 1m30s, not ${text}`);
  if (nanos < 1e6) throw invalid(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  return Math.round(nanos);
}
