/** Who unmounts an ended container's root. */
import assert from 'node:assert/strict';
import { readdirSync, statfsSync } from 'node:fs';
import { after, before, test } from 'node:test';
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

test('a root that is kept is unmounted once it is released', async () => {
  const { running } = await bench.start(testSpec(testProcess(['true'])), { keepsRoot: true });
  await running.exited;
  assert.equal(heldOverlays(), 1);
  await running.releaseRoot();
  assert.equal(heldOverlays(), 0);
  await running.releaseRoot();
});

test('else it is held by its processes alone', async () => {
  const { running } = await bench.start(testSpec(testProcess(['sleep', '1000'])));
  assert.equal(heldOverlays(), 0);
  running.signal(9);
  await running.exited;
  await running.releaseRoot();
});

test('a start that fails keeps no root', async () => {
  const spec = testSpec(testProcess(['/no/such/program']));
  await assert.rejects(bench.start(spec, { keepsRoot: true }));
  assert.equal(heldOverlays(), 0);
});
