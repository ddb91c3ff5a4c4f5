/** The output of the meter (meter.c). */
export interface Reading {
  /** The duration of each request in milliseconds; one without an answer counts as `requestTimeoutMs`. */
  neighbourMs: number[];
  apiMs: number[];
  /** How many requests had no answer. */
  neighbourFailures: number;
  apiFailures: number;
}

/** The same as in meter.c. */
export const requestTimeoutMs = 2000;

/** Throws an Error for a line that the meter does not print. */
export function parseReading(text: string): Reading {
  const reading: Reading = { neighbourMs: [], apiMs: [], neighbourFailures: 0, apiFailures: 0 };
  for (const line of text.split('\n').filter(Boolean)) {
    const [, target, ms] = /^(neighbour|api) (failed|\d+\.\d+)$/.exec(line) ?? [];
    if (target !== 'neighbour' && target !== 'api') throw new Error(`meter: "${line}"`);
    if (ms === 'failed') reading[`${target}Failures`]++;
    reading[`${target}Ms`].push(ms === 'failed' ? requestTimeoutMs : Number(ms));
  }
  return reading;
}
