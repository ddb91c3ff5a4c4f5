import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import type { BuildRequest, Builds } from '../builds.ts';
import { RangeSchema, SourceInfoSchema } from '../llb/ops.ts';
import { ProgressRecord } from '../progress-record.ts';
import { openCacheDatabase } from '../snapshots/cache-database.ts';
import type { BuildClient } from '../solver/job.ts';
import { StepFailure } from '../solver/solver.ts';
import { BuildDocuments } from './build-documents.ts';
import { BuildHistory } from './build-history.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-build-documents-'));
const database = openCacheDatabase(join(directory, 'cache.db'));
after(() => {
  database.close();
  rmSync(directory, { recursive: true });
});

const history = new BuildHistory(database);
const documents = new BuildDocuments(async () => ({ history }) as unknown as Builds);

const request = (ref: string): BuildRequest => ({
  ref,
  client: {} as BuildClient,
  source: {
    kind: 'front-end',
    name: 'dockerfile.v0',
    options: { filename: 'app.dockerfile', target: 'app', 'build-arg:V': '3', 'no-cache': '' },
    inputs: new Map(),
  },
  exporters: [{ type: 'moby', attributes: { name: 'app:1,app:2' } }],
  cacheImports: [],
  cacheExports: [],
  entitlements: [],
});

const dockerfile = create(SourceInfoSchema, {
  filename: 'app.dockerfile',
  data: Buffer.from('FROM a\nRUN false\n'),
});
const secondLine = [create(RangeSchema, { start: { line: 2 }, end: { line: 2 } })];
const source = {
  fileName: 'app.dockerfile',
  content: 'FROM a\nRUN false\n',
  ranges: [{ startLine: 2, endLine: 2 }],
};

test('a build is told in plain words while it runs, and when it has ended', async () => {
  history.begin(request('good'), new ProgressRecord());
  const running = await documents.inspect('good');
  assert.deepEqual(
    [running.state, running.dockerfile, running.target, running.buildArguments, running.names],
    ['running', 'app.dockerfile', 'app', { V: '3' }, ['app:1', 'app:2']],
  );
  history.end('good', { response: { 'containerimage.config.digest': 'sha256:5' } });
  const ended = await documents.inspect('good');
  assert.deepEqual([ended.state, ended.imageId], ['completed', 'sha256:5']);
  assert.ok(Date.parse(ended.completedAt ?? '') >= Date.parse(ended.startedAt));
  await assert.rejects(documents.inspect('none'), { kind: 'not-found' });
});

test('a failure says which step it was and where it is written, also after a restart', async () => {
  const cause = new StepFailure('exit code: 1', {
    digest: 'sha256:9',
    exitCode: 1,
    location: { info: dockerfile, ranges: secondLine },
  });
  history.begin(request('bad'), new ProgressRecord());
  history.end('bad', { response: {}, error: new Error('failed to solve', { cause }) });
  const again = new BuildDocuments(
    async () => ({ history: new BuildHistory(database) }) as unknown as Builds,
  );
  const { state, failure } = await again.inspect('bad');
  assert.equal(state, 'failed');
  assert.deepEqual(failure, {
    message: 'failed to solve',
    step: 'sha256:9',
    exitCode: 1,
    source,
  });
});

test('a build that was cancelled is no failed one', async () => {
  history.begin(request('off'), new ProgressRecord());
  history.end('off', { response: {}, error: new Error('aborted'), isCancelled: true });
  assert.equal((await documents.inspect('off')).state, 'cancelled');
});

test('progress has what is there only, and warnings keep their place in the Dockerfile', async () => {
  const progress = new ProgressRecord();
  const vertex = { digest: 'sha256:1', inputs: ['sha256:0'], name: 'RUN x', cached: true };
  progress.vertex({ ...vertex, started: new Date(1000) });
  progress.warning({
    ...{ vertex: 'sha256:1', level: 1, short: 'Casing', detail: ['why'], url: 'u' },
    info: dockerfile,
    ranges: secondLine,
  });
  history.begin(request('warned'), progress);
  history.end('warned', { response: {} });
  const told = new BuildDocuments(async () => {
    const ended = history.progress('warned');
    assert.ok(ended);
    return {
      async *progress() {
        yield ended;
      },
    } as unknown as Builds;
  });
  const lines: unknown[] = [];
  for await (const line of told.progress('warned', new AbortController().signal)) lines.push(line);
  assert.deepEqual(lines, [
    {
      vertexes: [{ ...vertex, started: '1970-01-01T00:00:01.000Z' }],
      warnings: [
        { vertex: 'sha256:1', level: 1, short: 'Casing', detail: ['why'], url: 'u', source },
      ],
    },
  ]);
});
