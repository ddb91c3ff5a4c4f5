/** HEALTHCHECK: `NONE`, or options and a command. */
import { durationNanos } from './duration.ts';
import { readFlags } from './flags.ts';
import type { HealthCheck } from './instruction.ts';
import type { ParsedInstruction } from './parser.ts';

const times = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
} as const;

export function readHealthCheck({ args, flags, isJson }: ParsedInstruction): HealthCheck {
  const [kind, ...command] = args;
  if (kind === undefined) throw new Error('HEALTHCHECK requires at least one argument');
  if (kind.toUpperCase() === 'NONE') {
    if (command.length > 0) throw new Error('HEALTHCHECK NONE takes no arguments');
    return { Test: ['NONE'] };
  }
  const options = readFlags(flags, {
    interval: 'text',
    timeout: 'text',
    'start-period': 'text',
    'start-interval': 'text',
    retries: 'text',
  });
  if (kind.toUpperCase() !== 'CMD')
    throw new Error(`Unknown type ${JSON.stringify(kind.toUpperCase())} in HEALTHCHECK (try CMD)`);
  if (command.length === 0) throw new Error('Missing command after HEALTHCHECK CMD');
  const check: HealthCheck = { Test: [isJson ? 'CMD' : 'CMD-SHELL', ...command] };
  for (const [flag, field] of Object.entries(times)) {
    const nanos = nanosOf(flag, options[flag as keyof typeof times] ?? '');
    // Zero means the default, and is not written down.
    if (nanos !== 0) check[field] = nanos;
  }
  const retries = retriesOf(options.retries ?? '');
  if (retries !== 0) check.Retries = retries;
  return check;
}

function nanosOf(flag: string, text: string): number {
  if (text === '') return 0;
  const nanos = durationNanos(text);
  if (nanos === undefined)
    throw new Error(`--${flag} is a duration such as 1m30s, not ${JSON.stringify(text)}`);
  if (nanos !== 0 && nanos < 1e6)
    throw new Error(`Interval ${JSON.stringify(flag)} cannot be less than 1ms`);
  return nanos;
}

function retriesOf(text: string): number {
  if (text === '') return 0;
  if (!/^[-+]?\d{1,9}$/.test(text))
    throw new Error(`--retries must be a whole number, not ${JSON.stringify(text)}`);
  const retries = Number(text);
  if (retries < 0) throw new Error(`--retries cannot be negative (${retries})`);
  return retries;
}
