import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { createEdits } from './edits.ts';
import { forgetMachine } from './per-machine.ts';

const { useEdits, edit, drop, settle } = createEdits<{
  cpus: number;
  memoryBytes: number;
  pids: number | undefined;
}>();
const of = (id: string) => useEdits.getState().of[id];
beforeEach(() => useEdits.setState({ of: {} }));

test('edits add up, a limit taken away among them, each container for itself', () => {
  edit('a', { cpus: 1 });
  edit('a', { pids: undefined });
  edit('b', { cpus: 2 });
  assert.deepEqual(of('a'), { cpus: 1, pids: undefined });
  drop('a');
  assert.equal(of('a'), undefined);
  assert.deepEqual(of('b'), { cpus: 2 });
});

test('what was applied goes; what was moved meanwhile stays to be applied', () => {
  edit('a', { cpus: 1, pids: undefined });
  const applied = of('a') ?? {};
  edit('a', { cpus: 2, memoryBytes: 5 });
  settle('a', applied);
  assert.deepEqual(of('a'), { cpus: 2, memoryBytes: 5 });
  settle('a', { cpus: 2, memoryBytes: 5 });
  assert.equal(of('a'), undefined);
});

test('a look at another machine forgets none of them', () => {
  edit('a', { cpus: 1 });
  forgetMachine();
  assert.deepEqual(of('a'), { cpus: 1 });
});
