/** Makes the fake machines of one test file, and removes all of them at its end. */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { type StandIn, standIn } from './stand-in.ts';

export function standIns(): (...options: Parameters<typeof standIn>) => StandIn {
  const made: StandIn[] = [];
  after(async () => {
    for (const each of made) await each.remove();
  });
  return (...options) => {
    const one = standIn(...options);
    made.push(one);
    return one;
  };
}

/** The failure of its start, after which no QEMU may be left. */
export async function failureOf(made: StandIn) {
  const { status, failure, stages } = await made.machine.start();
  assert.equal(status, 'failed', JSON.stringify(stages));
  assert.deepEqual(made.pids(), []);
  return failure!;
}
