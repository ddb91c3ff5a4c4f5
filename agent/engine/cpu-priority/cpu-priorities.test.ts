import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sample } from '../metrics/testdata/samples.ts';
import { CpuPriorities, type CpuPriorityChange } from './cpu-priorities.ts';

const ids = ['a', 'b', 'c', 'd', 'bomb', 'gone'];

/** All but the fork bomb use next to nothing. */
function contending() {
  const applied: string[] = [];
  let onApply = (_id: string) => {};
  const priorities = new CpuPriorities({
    applyCpuPriority: (id: string, { now }: CpuPriorityChange) => {
      applied.push(`${id} ${now}`);
      onApply(id);
    },
    report: (what, error) => assert.fail(`${what}: ${error}`),
  });
  for (const id of ids) priorities.add(id);
  priorities.observe('bomb', sample(1, { pids: { refusals: 1000 } }));
  const used = new Map(ids.map((id) => [id, id === 'bomb' ? 1.5 : 0.02]));
  return { priorities, applied, used, listen: (listener: typeof onApply) => (onApply = listener) };
}

const boosted = ['a', 'b', 'c', 'd'].map((id) => `${id} boosted`);

test('cpu priorities: each is applied, in the order of the containers', async () => {
  const { priorities, applied, used } = contending();
  await priorities.update(used, true);
  assert.deepEqual(applied, [...boosted, 'bomb throttled', 'gone boosted']);
});

test('cpu priorities: what stops or ends during an update is not throttled, or not set', async () => {
  const { priorities, applied, used, listen } = contending();
  // There is a pause after the fourth.
  listen((id) => {
    if (id !== 'a') return;
    priorities.stopping('bomb');
    priorities.remove('gone');
  });
  await priorities.update(used, true);
  assert.deepEqual(applied, boosted);
});

test('cpu priorities: a throttled container is freed at once when it is told to stop', async () => {
  const { priorities, applied, used } = contending();
  await priorities.update(used, true);
  applied.length = 0;
  priorities.stopping('bomb');
  assert.deepEqual(applied, ['bomb normal']);
});
