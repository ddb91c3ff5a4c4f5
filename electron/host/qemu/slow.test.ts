/** A slow computer: notes while a step takes long, and timeouts where it does not end. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MachineState } from '../../contract/machines.ts';
import { untilState } from '../machine/testdata/until-state.ts';
import { failureOf, standIns } from './testdata/stand-ins.ts';

const make = standIns();

const noteOf = ({ stages }: MachineState, stage: string) =>
  stages.find(({ id }) => id === stage)?.note;

test('a QEMU that takes long to answer is waited for, and its stage says so meanwhile', async () => {
  const made = make({ slowAfterMs: 20 });
  made.behave({ speaksOnceThere: join(made.directory, 'speak') });
  const said = untilState(made.machine, (state) => noteOf(state, 'vm') !== undefined);
  const starting = made.machine.start();
  await said;
  assert.match(noteOf(made.machine.state(), 'vm')!, /QEMU has not answered yet.*still waiting/);
  writeFileSync(join(made.directory, 'speak'), '');
  const state = await starting;
  assert.equal(state.status, 'running', JSON.stringify(state));
  assert.equal(noteOf(state, 'vm'), undefined);
});

const silences: [string, string, RegExp, RegExp][] = [
  ['QEMU itself', 'vm', /QEMU did not start: it did not answer in 0\.4 s/, /Updating QEMU/],
  ['its SSH server', 'connect', /accepts connections and has not answered for 0\.4 s/, /too busy/],
  ['its engine', 'engine', /engine has not answered its first request in 0\.4 s/, /too busy/],
];
for (const [who, stage, cause, nextStep] of silences)
  test(`a machine that runs and never answers, ${who}: the start fails after its timeout`, async () => {
    const made = make(
      { startTimeoutMs: stage === 'vm' ? 400 : undefined },
      {
        timeouts: { [`${stage}Ms`]: 400 },
      },
    );
    made.behave({ silentAt: stage });
    const { status, failure, stages } = await made.machine.start();
    assert.equal(status, 'failed', JSON.stringify(stages));
    assert.equal(failure?.stage, stage);
    assert.match(failure?.cause ?? '', cause);
    assert.match(failure?.nextStep ?? '', nextStep);
    await made.machine.stop();
    assert.deepEqual(made.pids(), []);
  });

test('a QEMU that does not print its version: the start fails after its timeout', async () => {
  const made = make({ startTimeoutMs: 100 });
  writeFileSync(
    join(made.options.searchPath ?? '', 'qemu-system-x86_64'),
    '#!/bin/sh\nexec sleep 600\n',
  );
  const { stage, cause, nextStep } = await failureOf(made);
  assert.equal(stage, 'prepare');
  assert.match(cause, /qemu-system-x86_64 has not printed its version in 0\.1 s/);
  assert.match(nextStep, /^Start it again\. .*install QEMU again/);
});

test('a handshake that is not answered is tried again on a fresh line', async () => {
  const made = make({}, { timeouts: { handshakeMs: 300 } });
  made.behave({ silentLines: 2 });
  const state = await made.machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
});

test('a handshake that what was left on the line breaks is begun again', async () => {
  const made = make();
  made.behave({ garbledLines: 2 });
  const state = await made.machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
});
