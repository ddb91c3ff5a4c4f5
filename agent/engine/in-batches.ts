/**
 * Iterates over many containers in small batches. The agent's thread has priority over containers on the CPUs
 * (docs/decisions/0018), so a long synchronous round would delay every API request and every container that wakes.
 * Measured: with all noises at once the API's p99 is 1.7 ms with the pauses and 6.4 ms without.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Reading one container takes about 0.2 ms. */
const batchSize = 4;
const pauseMs = 1;

/** Containers may start and end during the pauses, so the caller checks each item again. */
export async function* inBatches<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  let count = 0;
  for (const item of items) {
    if (count > 0 && count % batchSize === 0) await sleep(pauseMs);
    count++;
    yield item;
  }
}
