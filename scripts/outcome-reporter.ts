/** For `node --test-reporter`: what came of the tests of one file, as one line of JSON (run-file.ts reads it). */
import type { TestEvent } from 'node:test/reporters';
import type { FileOutcome } from './run-file.ts';

export default async function* outcomeOf(events: AsyncIterable<TestEvent>) {
  const outcome: FileOutcome = { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };
  for await (const event of events) {
    if (event.type === 'test:pass') {
      const { skip, todo, name, details } = event.data;
      // A suite that is skipped tells of none of its tests.
      if (skip !== undefined || todo !== undefined) {
        outcome.skipped++;
        outcome.skips.push(name);
      } else if (details.type !== 'suite') outcome.passed++;
    } else if (event.type === 'test:fail' && event.data.details.type !== 'suite') {
      outcome.failed++;
      outcome.failures.push(event.data.name);
    }
  }
  yield `${JSON.stringify(outcome)}\n`;
}
