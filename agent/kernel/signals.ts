/** Parses names of signals. */
import { constants } from 'node:os';
import { invalid } from '../errors.ts';

/** First real-time signal of C libraries, which use two below it themselves (signal(7)). */
const realTimeMin = 34;
const realTimeMax = 64;

const numbers = new Map<string, number>(
  Object.entries(constants.signals).map(([name, number]) => [name.slice('SIG'.length), number]),
);
numbers.set('CLD', numbers.get('CHLD') ?? 17);

/**
 * Number of a signal: `SIGTERM`, `term` and `15` are the same, as are `RTMIN+3` and 37. Throws invalid with dockerd's
 * message.
 */
export function parseSignal(signal: string): number {
  const name = signal.trim().toUpperCase().replace(/^SIG/, '');
  const number = /^\d{1,2}$/.test(name) ? Number(name) : (numbers.get(name) ?? realTime(name));
  if (number === undefined || number < 1 || number > realTimeMax)
    throw invalid(`Invalid signal: ${signal}`);
  return number;
}

function realTime(name: string): number | undefined {
  const match = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (!match) return undefined;
  const [, from, sign, offset = '0'] = match;
  const base = from === 'MIN' ? realTimeMin : realTimeMax;
  const number = sign === '-' ? base - Number(offset) : base + Number(offset);
  return number >= realTimeMin ? number : undefined;
}
