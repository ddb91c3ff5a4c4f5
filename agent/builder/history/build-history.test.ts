import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { BuildRequest } from '../builds.ts';
import { ProgressRecord } from '../progress-record.ts';
import { openCacheDatabase } from '../snapshots/cache-database.ts';
import type { BuildClient } from '../solver/job.ts';
import { BuildHistory } from './build-history.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-history-'));
const database = openCacheDatabase(join(directory, 'cache.db'));
after(() => {
  database.close();
  rmSync(directory, { recursive: true });
});

const request = (ref: string): BuildRequest => ({
  ref,
  client: {} as BuildClient,
  source: {
    kind: 'front-end',
    name: 'dockerfile.v0',
    options: { target: 'app' },
    inputs: new Map(),
  },
  exporters: [{ type: 'moby', attributes: { name: 'app' } }],
  cacheImports: [],
  cacheExports: [],
  entitlements: [],
});

test('a build is listed while it runs and afterwards, with its steps and what it printed', async () => {
  const history = new BuildHistory(database);
  const progress = new ProgressRecord();
  history.begin(request('one'), progress);
  const step = { digest: 'sha256:1', inputs: [], name: 'RUN make', cached: false };
  progress.vertex({ ...step, started: new Date(1000) });
  const log = { vertex: step.digest, stream: 1 as const, timestamp: new Date(1500) };
  progress.log({ ...log, data: Buffer.from('made\n') });
  progress.vertex({ ...step, started: new Date(1000), completed: new Date(2000) });
  assert.deepEqual(history.list()[0]?.steps, { total: 1, cached: 0, completed: 1 });
  assert.equal(history.list()[0]?.completedAt, undefined);
  history.end('one', { response: { 'image.name': 'app' }, error: new Error('no such luck') });
  const again = new BuildHistory(database);
  const [record] = again.list();
  assert.deepEqual(record?.options, { target: 'app' });
  assert.equal(record?.error, 'no such luck');
  assert.ok(record?.completedAt instanceof Date);
  const kept = again.progress('one');
  assert.deepEqual(kept?.logs, [{ ...log, data: Buffer.from('made\n') }]);
  assert.deepEqual(kept?.vertexes, [
    { ...step, started: new Date(1000), completed: new Date(2000) },
  ]);
});

test('the oldest give way, but for those that are pinned', () => {
  const history = new BuildHistory(database);
  history.setPinned('one', true);
  for (let count = 0; count < 60; count++) {
    history.begin(request(`more-${count}`), new ProgressRecord());
    history.end(`more-${count}`, { response: {} });
  }
  const refs = history.list().map(({ ref }) => ref);
  assert.equal(refs.length, 51);
  assert.ok(refs.includes('one'));
  assert.throws(() => history.remove('nobody'), { kind: 'not-found' });
});

test('who watches hears of beginnings, ends and removals', async () => {
  const history = new BuildHistory(database);
  const stop = new AbortController();
  const heard: string[] = [];
  const watching = (async () => {
    for await (const { kind, record } of history.watch(stop.signal)) {
      heard.push(`${kind} ${record.ref}`);
      if (kind === 'deleted' && record.ref === 'watched') stop.abort();
    }
  })();
  await Promise.resolve();
  history.begin(request('watched'), new ProgressRecord());
  assert.throws(() => history.remove('watched'), { kind: 'conflict' });
  history.end('watched', { response: {} });
  history.remove('watched');
  await watching;
  assert.deepEqual(
    heard.filter((each) => each.endsWith(' watched')),
    ['started watched', 'completed watched', 'deleted watched'],
  );
});
