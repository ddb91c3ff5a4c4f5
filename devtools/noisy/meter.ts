/** What the meter (meter.c) has seen. */
export interface Reading {
  /** Milliseconds of each request; one without an answer counts as `patienceMs`. */
  neighbourMs: number[];
  apiMs: number[];
  /** How many had no answer. */
  neighbourFailures: number;
  apiFailures: number;
}

/** As the meter has it. */
export const patienceMs = 2000;

/** Of what the meter prints. Throws if it is none of that. */
export function parseReading(text: string): Reading {
  const reading: Reading = { neighbourMs: [], apiMs: [], neighbourFailures: 0, apiFailures: 0 };
  for (const line of text.split('\n').filter(Boolean)) {
    const [, target, ms] = /^(neighbour|api) (failed|\d+\.\d+)$/.exec(line) ?? [];
    if (target !== 'neighbour' && target !== 'api') throw new Error(`meter: "${line}"`);
    if (ms === 'failed') reading[`${target}Failures`]++;
    reading[`${target}Ms`].push(ms === 'failed' ? patienceMs : Number(ms));
  }
  return reading;
}
