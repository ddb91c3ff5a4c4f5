/**
 * Work on many containers, with pauses. The agent comes before containers on the processors (docs/decisions/0018), so
 * that whoever wakes meanwhile, and each request of the API, waits for as much of it as is done in one go.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** A reading takes a fifth of a millisecond or so. */
const inOneGo = 4;
const pauseMs = 1;

/** What is left of it by then is for the caller to look at: containers begin and end in the pauses. */
export async function* inBreaths<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  let count = 0;
  for (const item of items) {
    if (count > 0 && count % inOneGo === 0) await sleep(pauseMs);
    count++;
    yield item;
  }
}
