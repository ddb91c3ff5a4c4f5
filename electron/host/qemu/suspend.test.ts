/** A stop that saves the memory, and the start that restores it, with a fake QEMU. */
import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type StandIn, writeImage } from './testdata/stand-in.ts';
import { failureOf, standIns } from './testdata/stand-ins.ts';

const make = standIns();

test('a stop keeps the memory, and the next start goes on with it, once', async () => {
  const made = make({ suspends: true });
  const snapshot = join(made.directory, 'memory.snapshot');
  await made.machine.start();
  await made.machine.stop();
  assert.ok(made.asked().some(({ request }) => request === 'POST /corten/v1/machine/sync'));
  assert.ok(existsSync(snapshot) && existsSync(`${snapshot}.json`));
  made.forget();
  const state = await made.machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  const commands = made.asked().map(({ execute }) => execute);
  assert.ok(commands.indexOf('migrate-incoming') < commands.indexOf('cont'));
  assert.ok(made.asked().some(({ request }) => request === 'POST /corten/v1/machine/reseed'));
  assert.ok(!existsSync(snapshot) && !existsSync(`${snapshot}.json`));
});

const spoilt: [string, (made: StandIn) => void][] = [
  ['the disk was written since', (made) => writeFileSync(join(made.directory, 'data.raw'), 'x')],
  ['the image is another', (made) => writeImage(made.options.imageDirectory, 'two')],
  ['half of it is missing', (made) => rmSync(join(made.directory, 'memory.snapshot'))],
];
for (const [why, spoil] of spoilt)
  test(`saved memory is left alone when ${why}`, async () => {
    const made = make({ suspends: true });
    await made.machine.start();
    await made.machine.stop();
    spoil(made);
    made.forget();
    assert.equal((await made.machine.start()).status, 'running');
    assert.ok(!made.asked().some(({ execute }) => execute === 'migrate-incoming'));
    assert.ok(!existsSync(join(made.directory, 'memory.snapshot')));
  });

test('memory that cannot be read back: said once, and the next start is a fresh one', async () => {
  const made = make({ suspends: true });
  await made.machine.start();
  await made.machine.stop();
  made.behave({ refusesRestore: true });
  const { stage, nextStep } = await failureOf(made);
  assert.equal(stage, 'boot');
  assert.match(nextStep, /then boots/);
  assert.equal((await made.machine.start()).status, 'running');
});

test('changed processors end the saved memory; they are there after the next start', async () => {
  const made = make({ suspends: true });
  await made.machine.start();
  const { cpus } = made.machine.controls!.settings().settings;
  const max = made.machine.controls!.settings().bounds.cpus.max;
  const wanted = cpus === max ? cpus - 1 || 1 : cpus + 1;
  const view = await made.machine.controls!.change({ cpus: wanted });
  assert.deepEqual(view.afterRestart, wanted === cpus ? [] : ['cpus']);
  await made.machine.stop();
  made.forget();
  await made.machine.start();
  const words = made.asked()[0]?.started as string[];
  assert.equal(words[words.indexOf('-smp') + 1], String(wanted));
  assert.deepEqual(made.machine.controls!.settings().afterRestart, []);
});
