/** A real machine whose computer has no room left on its disk: QEMU holds it, and no container notices. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { MachineState } from '../contract/machines.ts';
import { type GuestMachine, makeGuestMachine } from './testdata/guest-machine.ts';

const directory = mkdtempSync(join(tmpdir(), 'vm-'));
const mebibyte = 1024 ** 2;

let guest: GuestMachine;

before(async () => {
  // A disk of its own, which becomes larger and smaller at will. It takes no more memory than what is in it.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3g', 'small-disk', directory]);
  guest = makeGuestMachine(directory, []);
  const state = await guest.machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
});

after(async () => {
  await guest?.machine.stop({ force: true });
  execFileSync('umount', ['--lazy', directory]);
  rmSync(directory, { recursive: true, force: true });
});

function leave(freeBytes: number): void {
  const { bsize, blocks, bfree } = statfsSync(directory);
  const size = (blocks - bfree) * bsize + freeBytes;
  execFileSync('mount', ['-o', `remount,size=${size}`, directory]);
}

async function stateWhen(isSo: (state: MachineState) => boolean): Promise<MachineState> {
  for await (const state of guest.machine.watch(new AbortController().signal))
    if (isSo(state)) return state;
  throw new Error('the machine tells its state no more');
}

test('the machine waits with cause and next step, and goes on when there is room again', async () => {
  const { docker, ask } = guest;
  await docker('run', '-d', '--name=writer', 'corten/starter:latest', 'sleep', '1000000');
  leave(16 * mebibyte);
  const written = docker(
    ...['exec', 'writer', 'sh', '-c'],
    'dd if=/dev/urandom of=/big bs=1M count=96 2>/dev/null && sync && sha256sum /big',
  );
  const { failure } = await stateWhen(({ status }) => status === 'failed');
  assert.equal(failure?.stage, 'disks', JSON.stringify(failure));
  assert.match(failure?.cause ?? '', /computer's disk is full: .*data\.raw failed/);
  assert.match(failure?.nextStep ?? '', /^Free some space/);
  leave(1024 * mebibyte);
  await stateWhen(({ status }) => status === 'running');
  // Nothing was told to the container, and what it wrote is what it reads, also from the disk.
  const before = await written;
  assert.match(before, /^[0-9a-f]{64} /);
  await ask('POST', '/corten/v1/machine/free-memory');
  assert.equal(await docker('exec', 'writer', 'sha256sum', '/big'), before);
});
