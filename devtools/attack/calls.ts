/** The table of system calls: what a container's filter does with each number. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './finding.ts';

export type Answer = 'reached' | 'refused' | 'missing' | 'killed';

export interface CallAnswer {
  /** The way into the kernel: `native`, `x32` or `int80`. */
  way: string;
  number: number;
  answer: Answer;
  detail: string;
}

const answers: readonly string[] = ['reached', 'refused', 'missing', 'killed'];

export type Intention = 'allowed' | 'refused' | 'missing' | 'passed';

/** The reviewed list of this architecture: number, name, intention. */
function listed(): [number, string, Intention][] {
  const path = join(import.meta.dirname, `testdata/calls.${process.arch}.txt`);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(' '))
    .map(([number, name = '', intention]) => [Number(number), name, intention as Intention]);
}

/** What the default profile means to do with a call; a number that is not here is refused. */
export function callIntentions(): Map<number, Intention> {
  return new Map(listed().map(([number, , intention]) => [number, intention]));
}

/**
 * Whether the filter did what was meant; `bare` is what the kernel says without one. Where it has no such
 * call itself, or refuses it, the filter's consent cannot be seen; what was to be refused must be so all the same.
 */
export function isAsMeant(answer: Answer, intention: Intention, bare: Answer | undefined): boolean {
  switch (intention) {
    case 'allowed':
      return answer === 'reached' || answer === bare;
    case 'passed':
      return bare === 'reached' ? answer === 'reached' : answer === 'refused';
    case 'missing':
      return answer === 'missing';
    case 'refused':
      return answer !== 'reached';
  }
}

/** The lines of the probes' topic `calls`. Throws for anything else. */
export function parseCalls(output: string): CallAnswer[] {
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [call = '', answer = '', detail = ''] = line.split('\t');
      const [way = '', number = ''] = call.split(' ');
      if (!answers.includes(answer)) throw new Error(`the probes of "calls" wrote: ${line}`);
      return { way, number: Number(number), answer: answer as Answer, detail };
    });
}

/** A call is open where it reaches the kernel; where the kernel has none, nothing is there to reach. */
export function callFindings(filtered: string, unfiltered: string): Finding[] {
  const names = new Map(listed().map(([number, name]) => [number, name]));
  const bare = new Map(parseCalls(unfiltered).map((call) => [`${call.way} ${call.number}`, call]));
  return parseCalls(filtered).map((call) => {
    const { way, number, answer, detail } = call;
    const name = way === 'native' ? ` ${names.get(number) ?? '(none)'}` : '';
    const kernel = bare.get(`${way} ${number}`)?.answer;
    return {
      group: 'calls',
      probe: `${way} ${number}${name}`,
      outcome: answer === 'reached' ? 'open' : 'held',
      detail:
        answer === 'reached' || answer === kernel
          ? `${answer}: ${detail}`
          : `${answer} by the filter`,
    };
  });
}
