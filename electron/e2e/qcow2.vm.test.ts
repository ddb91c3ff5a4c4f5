/**
 * A machine as it is on Windows, as far as Linux can show it: its data disk is qcow2, and QEMU dials the app's loopback
 * ports. Runs only when it is asked for: `scripts/test electron/e2e/qcow2.vm.test.ts`.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeGuestMachine } from './testdata/guest-machine.ts';

const skip = process.env.CORTEN_TEST_QCOW2 ? false : 'one more boot: runs when it is named';
const program = process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64';
const gibibyte = 1024 ** 3;

/** QEMU by the names that it has there. */
function programsIn(directory: string): string {
  mkdirSync(directory);
  for (const [name, target] of [
    [`${program}.exe`, program],
    ['qemu-img', 'qemu-img'],
  ] as const)
    symlinkSync(join('/usr/bin', target), join(directory, name));
  return directory;
}

test('a qcow2 disk and lines that QEMU dials: a start, growth, saved memory, and a start anew', {
  skip,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vm-'));
  const dataDisk = join(directory, 'machine', 'data.qcow2');
  const { machine, docker, ask } = makeGuestMachine(directory, [], {
    platform: 'win32',
    searchPath: programsIn(join(directory, 'bin')),
  });
  const start = async () => {
    const state = await machine.start();
    assert.equal(state.status, 'running', JSON.stringify(state));
  };
  try {
    await start();
    await docker(
      ...['run', '-d', '--name=web', '-v=data:/data', 'corten/starter:latest', 'sh', '-c'],
      'echo kept >/data/file; exec sleep 1000000',
    );
    const sizeOf = async () =>
      (await ask<{ diskSizeBytes: number }>('GET', '/corten/v1/machine/figures')).diskSizeBytes;
    const before = await sizeOf();
    await machine.controls!.change({ diskBytes: 5 * gibibyte });
    assert.ok((await sizeOf()) > before + 0.9 * gibibyte);
    const startedAt = () => docker('inspect', 'web', '--format={{.State.StartedAt}}');
    const first = await startedAt();
    await machine.stop();
    assert.ok(existsSync(join(directory, 'machine', 'memory.snapshot')));
    await start();
    assert.equal(await startedAt(), first);
    await docker('exec', 'web', 'sync');
    await machine.stop({ force: true });
    await start();
    await docker('start', 'web');
    assert.equal(await docker('exec', 'web', 'cat', '/data/file'), 'kept');
    await machine.stop({ force: true });
    // It is what it is called, and QEMU finds nothing wrong with it.
    const info = execFileSync('qemu-img', ['info', '--output=json', dataDisk], {
      encoding: 'utf8',
    });
    assert.equal((JSON.parse(info) as { format: string }).format, 'qcow2');
    execFileSync('qemu-img', ['check', '--quiet', dataDisk]);
  } finally {
    await machine.stop({ force: true });
    rmSync(directory, { recursive: true, force: true });
  }
});
