/** A machine whose disk's file cannot be written by this computer, with a fake QEMU. */

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../../../agent/e2e/until.ts';
import type { MachineState } from '../../contract/machines.ts';
import { untilState } from '../machine/testdata/until-state.ts';
import { standIns } from './testdata/stand-ins.ts';

const make = standIns();

const isHeld = ({ failure }: MachineState) => failure?.stage === 'disks';

test('a full disk of this computer holds the machine, with cause and next step; room lets it go on', async () => {
  let freeBytes = 0;
  const made = make({ freeBytes: () => freeBytes });
  await made.machine.start();
  made.forget();
  writeFileSync(join(made.directory, 'full'), '');
  const { status, failure } = await untilState(made.machine, isHeld);
  assert.equal(status, 'failed');
  assert.match(failure?.cause ?? '', /disk is full: .*data\.raw failed/);
  assert.match(failure?.nextStep ?? '', /^Free some space/);
  // A start by the user retries at once.
  const continued = () => made.asked().filter(({ execute }) => execute === 'cont').length;
  await made.machine.start();
  assert.equal(continued(), 1);
  rmSync(join(made.directory, 'full'));
  freeBytes = 1024 ** 3;
  // This time it continues by itself, and is not halted again.
  await until(() => continued() >= 2);
  await untilState(made.machine, ({ status }) => status === 'running');
});

test('a stop waits for a machine that a full disk holds; by force it does not', async () => {
  const made = make({ freeBytes: () => 0 });
  await made.machine.start();
  writeFileSync(join(made.directory, 'full'), '');
  await untilState(made.machine, isHeld);
  const waiting = made.machine.stop();
  assert.equal((await made.machine.stop({ force: true })).status, 'stopped');
  assert.equal((await waiting).status, 'stopped');
  assert.ok(!made.asked().some(({ execute }) => execute === 'system_powerdown'));
  assert.deepEqual(made.pids(), []);
});
