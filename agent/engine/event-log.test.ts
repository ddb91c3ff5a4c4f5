import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineEvent } from '../api/system/backend.ts';
import { EventLog } from './event-log.ts';

const event = (id: string) => ({ type: 'container' as const, action: 'start', id, attributes: {} });

async function ids(stream: AsyncIterable<EngineEvent>, count: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of stream) {
    found.push(id);
    if (found.length === count) break;
  }
  return found;
}

test('a stream begins when it is asked for, not when it is first read', async () => {
  const events = new EventLog();
  events.emit(event('before'));
  const stream = events.stream({ signal: new AbortController().signal });
  events.emit(event('after'));
  assert.deepEqual(await ids(stream, 1), ['after']);
});

test('since gives the past first; until in the past ends there', async () => {
  const events = new EventLog();
  events.emit(event('one'));
  events.emit(event('two'));
  const { signal } = new AbortController();
  const stream = events.stream({ since: new Date(0), until: new Date(), signal });
  assert.deepEqual(await ids(stream, 10), ['one', 'two']);
});

test('until a far or a long past time sets no timer that Node cannot hold', async (t) => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  t.after(() => process.off('warning', note));
  const events = new EventLog();
  const over = new AbortController();
  const reading = ids(
    events.stream({ until: new Date(Date.now() + 1e11), signal: over.signal }),
    10,
  );
  assert.deepEqual(await ids(events.stream({ until: new Date(0), signal: over.signal }), 10), []);
  events.emit(event('one'));
  over.abort();
  assert.ok((await reading).length <= 1);
  // Warnings are told on the next turn.
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(warnings, []);
});

test('a stream that nobody reads ends with its abort', async () => {
  const events = new EventLog();
  const over = new AbortController();
  const reading = ids(events.stream({ signal: over.signal }), 10);
  events.emit(event('one'));
  over.abort();
  assert.ok((await reading).length <= 1);
});

test('the oldest of a thousand and one is forgotten, and no two stamps are the same', async () => {
  const events = new EventLog();
  for (let number = 0; number <= 1000; number++) events.emit(event(String(number)));
  const stamps = new Set<string>();
  const { signal } = new AbortController();
  let first = '';
  for await (const past of events.stream({ since: new Date(0), until: new Date(), signal })) {
    first ||= past.id;
    stamps.add(`${Math.floor(past.time.getTime() / 1000)}.${past.nanos}`);
  }
  assert.equal(first, '1');
  assert.equal(stamps.size, 1000);
});
