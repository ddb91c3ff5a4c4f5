import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { contentsOf, folderFacts, withHome } from './folder-facts.ts';

let base: string;
before(() => {
  base = mkdtempSync(join(tmpdir(), 'corten-folder-'));
  for (const path of ['app/src', 'app/node_modules/x', 'apple', '.hidden'])
    mkdirSync(join(base, path), { recursive: true });
  for (const path of ['src/api.dockerfile', 'Dockerfile', 'Dockerfile.dev', 'README'])
    writeFileSync(join(base, 'app', path), 'FROM scratch AS out\n');
  for (const path of ['Dockerfile.dockerignore', 'node_modules/x/Dockerfile'])
    writeFileSync(join(base, 'app', path), '');
  writeFileSync(join(base, 'app/broken'), 'FROM scratch\nRUNN x\n');
});
after(() => rmSync(base, { recursive: true }));

test('folders are suggested by how their path begins', async () => {
  const { suggestions, problem } = await folderFacts({ folder: join(base, 'ap') });
  assert.deepEqual(suggestions, [join(base, 'app'), join(base, 'apple')]);
  assert.match(problem ?? '', /There is no folder/);
  assert.deepEqual((await folderFacts({ folder: `${base}/` })).suggestions, [
    ...[join(base, 'app'), join(base, 'apple')],
  ]);
  assert.match((await folderFacts({ folder: 'app' })).problem ?? '', /full path/);
  assert.equal(withHome('~/x'), join(homedir(), 'x'));
});

test('Dockerfiles are found, the nearest first', async () => {
  const { dockerfiles, contents, problem } = await folderFacts({ folder: join(base, 'app') });
  assert.equal(problem, undefined);
  assert.deepEqual(dockerfiles, ['Dockerfile', 'Dockerfile.dev', 'src/api.dockerfile']);
  assert.deepEqual(contents, { stages: ['out'], arguments: [], secrets: [] });
});

test('a Dockerfile that is missing, outside or wrong is told', async () => {
  const folder = join(base, 'app');
  const problem = async (dockerfile: string) =>
    (await folderFacts({ folder, dockerfile })).dockerfileProblem ?? '';
  assert.match(await problem('none'), /There is no file none/);
  assert.match(await problem('../x'), /not inside/);
  assert.match(await problem('src'), /is no file/);
  assert.match(await problem('broken'), /line 2.*RUNN/);
});

test('stages, arguments and secrets are read from the Dockerfile', () => {
  const text = [
    'ARG VERSION=3',
    'FROM alpine:$VERSION AS build',
    'ARG VERSION',
    'ARG TOKEN',
    'RUN --mount=type=secret,id=npmrc --mount=type=cache,target=/c make',
    'RUN --mount=type=secret,target=/run/key make',
    'FROM scratch AS Out',
    'COPY --from=build / /',
  ].join('\n');
  assert.deepEqual(contentsOf(text), {
    stages: ['build', 'out'],
    arguments: [
      { name: 'VERSION', value: '3', description: '' },
      { name: 'TOKEN', description: '' },
    ],
    secrets: ['npmrc', 'key'],
  });
});
