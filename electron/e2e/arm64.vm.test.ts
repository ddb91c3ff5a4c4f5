/**
 * The arm64 guest under the app's own backend. Emulated on another kind of processor it takes minutes, so it runs only
 * when it is asked for: `scripts/test electron/e2e/arm64.vm.test.ts`.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeGuestMachine, systemOf } from './testdata/guest-machine.ts';

const skip = process.env.CORTEN_TEST_ARM64 ? false : 'takes minutes: runs when it is named';

test('the arm64 guest boots and runs a container on cgroup v2', { skip }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vm-'));
  const { machine, docker } = makeGuestMachine(directory, [], {
    architecture: 'arm64',
    imageDirectory: systemOf('arm64'),
  });
  try {
    const startedMs = performance.now();
    const state = await machine.start();
    assert.equal(state.status, 'running', JSON.stringify(state));
    const stages = state.stages.map(({ id, elapsedMs }) => `${id} ${elapsedMs}`).join(', ');
    console.log(`ready after ${Math.round(performance.now() - startedMs)} ms (${stages})`);
    const said = await docker(
      ...['run', '--rm', '--memory=64m', '--pids-limit=77', 'corten/starter:latest', 'sh', '-c'],
      'uname -m; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max',
    );
    assert.deepEqual(said.split('\n'), ['aarch64', String(64 * 1024 ** 2), '77']);
    // Its memory is kept and used again here, too.
    await docker('run', '-d', '--name=stays', 'corten/starter:latest', 'sleep', '1000000');
    const startedAt = () => docker('inspect', 'stays', '--format={{.State.StartedAt}}');
    const before = await startedAt();
    await machine.stop();
    const resumedMs = performance.now();
    assert.equal((await machine.start()).status, 'running', JSON.stringify(machine.state()));
    console.log(`resumed after ${Math.round(performance.now() - resumedMs)} ms`);
    assert.equal(await startedAt(), before);
  } finally {
    await machine.stop({ force: true });
    rmSync(directory, { recursive: true, force: true });
  }
});
