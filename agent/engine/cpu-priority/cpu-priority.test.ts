import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CpuPriority, choosePriorities } from './cpu-priority.ts';

/** The priorities of containers that used so many CPUs. */
function after(usedCpus: number[], current: CpuPriority[] = [], isContended = true): CpuPriority[] {
  const demands = usedCpus.map((used, index) => ({
    usedCpus: used,
    isForkBomb: false,
    isStopping: false,
    current: current[index] ?? ('normal' as const),
  }));
  return choosePriorities(demands, isContended);
}

test('cpu priority: a container that uses less than half of a fair share is boosted', () => {
  assert.deepEqual(after([1.9, 0.05]), ['normal', 'boosted']);
  assert.deepEqual(after([1.5, 0.49]), ['normal', 'boosted']);
  assert.deepEqual(after([1.4, 0.6]), ['normal', 'normal']);
  assert.deepEqual(after([0.5, 0.5, 0.5, 0.3]), ['normal', 'normal', 'normal', 'normal']);
  assert.deepEqual(after([0.3, 0.05]), ['normal', 'boosted'], 'the host uses the rest');
  assert.deepEqual(after([0.9]), ['normal']);
});

test('cpu priority: idle containers leave their share to the others', () => {
  assert.deepEqual(after([1.4, 0.4, 0, 0, 0, 0]), [
    'normal',
    'boosted',
    ...Array(4).fill('boosted'),
  ]);
});

test('cpu priority: a boost lasts up to a fair share', () => {
  assert.deepEqual(after([1.1, 0.8], ['normal', 'boosted']), ['normal', 'boosted']);
  assert.deepEqual(after([0.9, 1.1], ['normal', 'boosted']), ['normal', 'normal']);
});

test('cpu priority: no boost without contention', () => {
  assert.deepEqual(after([0.4, 0.05], ['normal', 'boosted'], false), ['normal', 'normal']);
});

test('cpu priority: a fork bomb is throttled while others run, but not while it is stopped', () => {
  const bomb = {
    usedCpus: 0.2,
    isForkBomb: true,
    isStopping: false,
    current: 'boosted' as const,
  };
  const stopping = { ...bomb, isStopping: true };
  const web = {
    usedCpus: 0.01,
    isForkBomb: false,
    isStopping: false,
    current: 'normal' as const,
  };
  assert.deepEqual(choosePriorities([bomb, web], true), ['throttled', 'boosted']);
  assert.deepEqual(choosePriorities([bomb, web], false), ['throttled', 'normal']);
  assert.deepEqual(choosePriorities([stopping, web], true), ['normal', 'boosted']);
  assert.deepEqual(choosePriorities([bomb], true), ['normal']);
});
