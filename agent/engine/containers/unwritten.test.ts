/** A database that takes nothing: what runs must be known, and what ended must have ended. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { bridgeNetwork } from '../../contract/testdata/settings.ts';
import { create, type Workbench, workbench } from '../testdata/workbench.ts';

/** The engine's database refuses changes of containers until told otherwise. */
function refuse(t: TestContext, { paths }: Workbench, when = 'true'): () => void {
  const other = new DatabaseSync(join(paths.root, 'corten.db'));
  t.after(() => other.close());
  other.exec(
    `CREATE TRIGGER refuse BEFORE UPDATE ON containers WHEN ${when}
     BEGIN SELECT RAISE(ABORT, 'no room'); END`,
  );
  return () => other.exec('DROP TRIGGER refuse');
}

const never = new AbortController().signal;

test('a start that cannot be written down ends its process, and leaves nothing', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench);
  const accept = refuse(t, bench);
  let killed = 0;
  const started = containers.start(id);
  const failed = assert.rejects(started, /no room/);
  await failed;
  killed += bench.runtime.last.signals.filter((signal) => signal === 9).length;
  assert.equal(killed, 1);
  assert.equal(bench.runtime.last.rootReleases, 1);
  assert.deepEqual(bench.cgroups.list(), []);
  assert.deepEqual(readdirSync(join(bench.paths.run, 'containers')), []);
  assert.equal(containers.inspect(id).state.status, 'created');
  assert.match(containers.inspect(id).state.error, /no room/);
  accept();
  await containers.start(id);
  assert.equal(containers.inspect(id).state.status, 'running');
  bench.runtime.last.exit(0);
});

test('an end that cannot be written down is an end, and is written down later', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench);
  await containers.start(id);
  const accept = refuse(t, bench);
  const exit = containers.wait(id, 'next-exit', never);
  bench.runtime.last.exit(7);
  assert.deepEqual(await exit, { exitCode: 7 });
  assert.equal(containers.inspect(id).state.status, 'exited');
  await bench.tidied();
  assert.deepEqual(bench.cgroups.list(), []);
  // What the shim wrote of the end is all that the next agent would find.
  assert.ok(existsSync(join(bench.paths.run, 'containers', id)));
  assert.match(bench.reports.join('\n'), /write down the state of .*no room/);
  accept();
  const other = await create(bench);
  await containers.start(other);
  bench.runtime.last.exit(0);
  const next = await bench.reopen();
  assert.equal(next.containers.inspect(id).state.exitCode, 7);
});

test('what a start wrote down before it failed is taken back, also when that cannot be written', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { network: bridgeNetwork });
  refuse(t, bench, "NEW.state LIKE '%\"running\"%' OR OLD.state LIKE '%172.%'");
  await assert.rejects(containers.start(id), /no room/);
  assert.equal(containers.inspect(id).networks[0]?.ipv4Address, '');
  assert.equal(bench.network.endpoints.size, 0);
});
