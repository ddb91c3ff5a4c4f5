/** What a container's seccomp filter does with each system call, compared with the reviewed list. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './finding.ts';

export type Answer = 'reached' | 'refused' | 'missing' | 'killed';

export interface CallAnswer {
  /** The entry into the kernel: `native`, `x32` or `int80`. */
  way: string;
  number: number;
  answer: Answer;
  detail: string;
}

const answers: readonly string[] = ['reached', 'refused', 'missing', 'killed'];

export type Intention = 'allowed' | 'refused' | 'missing' | 'passed';

/** The lines of this architecture's reviewed list, or none where there is no such list. */
function listed(): [number, string, Intention][] {
  const path = join(import.meta.dirname, `testdata/calls.${process.arch}.txt`);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(' '))
    .map(([number, name = '', intention]) => [Number(number), name, intention as Intention]);
}

/** What the default seccomp profile is to do with each call. A number that is not in the map is to be refused. */
export function callIntentions(): Map<number, Intention> {
  return new Map(listed().map(([number, , intention]) => [number, intention]));
}

/**
 * Whether the filter did what the list says; `bare` is the kernel's answer without a filter. A call that the kernel itself
 * lacks or refuses looks the same when the filter allows it.
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

/** Reads the output of the topic `calls`. Throws an Error for other text. */
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

/** A call is `open` when it reaches a kernel that has it. */
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
