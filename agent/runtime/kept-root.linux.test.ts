/** Who unmounts an ended container's root. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync, statfsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestBench, testProcess, testSpec } from './testdata/test-container.ts';

const overlayMagic = 0x794c7630;
let bench: TestBench;
before(async () => {
  bench = await TestBench.open();
});
after(() => bench.close());

/** As far as this process holds them. */
function heldOverlays(): number {
  return readdirSync('/proc/self/fd').filter((fd) => typeOf(`/proc/self/fd/${fd}`) === overlayMagic)
    .length;
}

function typeOf(path: string): number {
  try {
    return statfsSync(path).type;
  } catch {
    // The descriptor of the listing itself is gone by then; and what a socket lies on cannot be asked.
    return 0;
  }
}

/** The launcher lets go of its own a moment after the start. */
async function holds(held: () => number, expected: number): Promise<void> {
  for (let attempt = 0; attempt < 1000 && held() !== expected; attempt++) await sleep(10);
  assert.equal(held(), expected);
}

test('a root that is kept is unmounted once it is released', async () => {
  const { running } = await bench.start(testSpec(testProcess(['true'])), { keepsRoot: true });
  await running.exited;
  await holds(heldOverlays, 1);
  await running.releaseRoot();
  await holds(heldOverlays, 0);
  await running.releaseRoot();
});

test('else it is held by its processes alone', async () => {
  const { running } = await bench.start(testSpec(testProcess(['sleep', '1000'])));
  await holds(heldOverlays, 0);
  running.signal(9);
  await running.exited;
  await running.releaseRoot();
});

test('a start that fails keeps no root', async () => {
  const spec = testSpec(testProcess(['/no/such/program']));
  await assert.rejects(bench.start(spec, { keepsRoot: true }));
  await holds(heldOverlays, 0);
});

test('all its mounts are kept where they may be, and go with the root', async () => {
  const held = () =>
    readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).startsWith('mnt:')).length;
  const before = held();
  const { running } = await bench.start(
    testSpec(testProcess(['true'])),
    { keepsRoot: true },
    { keepsMounts: true },
  );
  await running.exited;
  await holds(held, before + 1);
  await holds(heldOverlays, 0);
  await running.releaseRoot();
  await holds(held, before);
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The descriptor of the listing itself is gone by then.
    return '';
  }
}
