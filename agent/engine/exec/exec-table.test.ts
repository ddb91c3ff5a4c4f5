import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecSettings } from '../../api/exec/backend.ts';
import { ExecTable } from './exec-table.ts';

const settings = { command: ['true'] } as ExecSettings;

test('what was made and never started is forgotten once its container does not run', () => {
  const running = new Set(['web', 'db']);
  const table = new ExecTable((id) => running.has(id));
  table.add('in-web', 'web', settings);
  table.add('in-db', 'db', settings);
  table.begin(table.find('in-db'));
  running.clear();
  table.add('later', 'other', settings);
  assert.throws(() => table.find('in-web'), { kind: 'not-found' });
  // Its end is still to come, and people may ask for that.
  assert.equal(table.find('in-db').id, 'in-db');
  assert.equal(table.find('later').id, 'later');
});
