/** What a machine has of this computer while it ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type StandIn, standIn } from '../qemu/testdata/stand-in.ts';
import type { Companion } from './machine.ts';

test('what containers use as they end stays until the machine has ended; the rest goes before', async () => {
  let made: StandIn | undefined;
  const happened: string[] = [];
  const note = (what: string) => {
    const isAsked = made?.asked().some(({ execute }) => execute === 'system_powerdown');
    happened.push(`${what} ${isAsked ? 'after' : 'before'} the power button`);
  };
  const socket: Companion = () => ({ close: () => note('socket closed') });
  const folder: Companion = () => ({
    linger: () => note('folder lingers'),
    close: () => note('folder closed'),
  });
  made = standIn({}, { companions: [folder, socket] });
  try {
    assert.equal((await made.machine.start()).status, 'running');
    await made.machine.stop();
    assert.deepEqual(happened.splice(0), [
      'socket closed before the power button',
      'folder lingers before the power button',
      'folder closed after the power button',
    ]);
    made.forget();
    assert.equal((await made.machine.start()).status, 'running');
    await made.machine.stop({ force: true });
    assert.deepEqual(happened, [
      'socket closed before the power button',
      'folder closed before the power button',
    ]);
  } finally {
    await made.remove();
  }
});
