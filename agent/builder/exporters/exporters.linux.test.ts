/** Results of builds as images, archives and trees, with the real image store. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { openImageStore } from '../../images/oci-store.ts';
import type { OpenImageStore } from '../../images/store.ts';
import type { BuildResult } from '../result.ts';
import type { Layer, SnapshotStore } from '../snapshots/snapshot.ts';
import type { BuildClient, Job } from '../solver/job.ts';
import type { Ref } from '../solver/solver.ts';
import { createExporters } from './exporters.ts';

let root: string;
let store: OpenImageStore;
let exporters: ReturnType<typeof createExporters>;
let vertexes: string[];
let saved: { path: string; under: string | undefined; files: string }[];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'corten-exporters-'));
  const platform = { os: 'linux', architecture: 'amd64' };
  store = await openImageStore({ root: join(root, 'images'), platform });
  vertexes = [];
  saved = [];
  let temporaries = 0;
  exporters = createExporters({
    images: store,
    store,
    snapshots,
    keep: async () => {},
    onTag: () => {},
    temporaryDirectory: async () => {
      const path = join(root, `temporary${temporaries++}`);
      mkdirSync(path);
      return { path, remove: async () => rmSync(path, { recursive: true }) };
    },
  });
});
afterEach(async () => {
  await store.close();
  rmSync(root, { recursive: true });
});

const snapshots = {
  hold: () => () => {},
  adopted: async (layer: Layer, diffId: string, directory: string) => {
    layer.diffId = diffId;
    rmSync(layer.directory, { recursive: true, force: true });
    symlinkSync(directory, layer.directory);
  },
} as unknown as SnapshotStore;

const madeAt = new Date('2024-05-06T07:08:09Z');

function layer(name: string, content = name): Layer {
  const directory = join(root, name);
  mkdirSync(directory);
  writeFileSync(join(directory, name), content);
  return { id: name, directory, createdAt: madeAt };
}

const refOf = (...layers: Layer[]): Ref => ({
  id: 'ref',
  definition: {} as Ref['definition'],
  snapshot: async () => ({ layers }),
});

function resultOf(ref: Ref, config: object = {}): BuildResult {
  const whole = { os: 'linux', architecture: 'amd64', config: { Cmd: ['sh'] }, ...config };
  return {
    ref,
    refs: new Map(),
    metadata: new Map([['containerimage.config', Buffer.from(JSON.stringify(whole))]]),
  };
}

function exported(type: string, result: BuildResult, attributes: Record<string, string> = {}) {
  const job = {
    ref: 'build',
    signal: new AbortController().signal,
    client: {
      saveFile: async () => createWriteStream(join(root, 'output.tar')),
      saveDirectory: async (_index: number, path: string, _metadata: object, under?: string) => {
        const files = execFileSync('find', ['.', '-type', 'f'], { cwd: path, encoding: 'utf8' });
        saved.push({ path, under, files });
      },
    } as unknown as BuildClient,
    progress: {
      vertex: ({ name, completed, error }: { name: string; completed?: Date; error?: string }) =>
        completed && vertexes.push(`${name}${error === undefined ? '' : `: ${error}`}`),
      status: () => {},
    },
    entitlements: new Set<string>(),
  } as unknown as Job;
  const exporter = exporters[type];
  assert.ok(exporter);
  return exporter({ job, result, index: 0, attributes });
}

const documentOf = (id: string) =>
  JSON.parse(
    readFileSync(join(root, 'images/blobs/sha256', id.slice('sha256:'.length)), 'utf8'),
  ) as {
    created: string;
    history: { created?: string; created_by?: string; empty_layer?: boolean }[];
    rootfs: { diff_ids: string[] };
  };

const history = [
  { created: '2020-01-01T00:00:00Z', created_by: 'base' },
  { created: '2020-01-01T00:00:01Z', created_by: 'CMD', empty_layer: true },
  { created_by: 'ENV', empty_layer: true },
  { created_by: 'COPY' },
];

test('an image gets its names, and each entry of its history a time', async () => {
  const base = await exported('moby', resultOf(refOf(layer('base'))), { name: 'base' });
  const [diffId = ''] = documentOf(base['containerimage.digest'] ?? '').rootfs.diff_ids;
  const ofBase = { id: diffId, diffId, directory: store.layerDirectory(diffId) ?? '' };
  const own = layer('own');
  const answer = await exported('moby', resultOf(refOf(ofBase, own), { history }), {
    name: 'app,localhost:5000/app:2',
  });
  const id = answer['containerimage.config.digest'] ?? '';
  assert.equal(answer['containerimage.digest'], id);
  assert.equal(answer['image.name'], 'docker.io/library/app:latest,localhost:5000/app:2');
  assert.deepEqual(store.find(id)?.tags, ['app:latest', 'localhost:5000/app:2']);
  const document = documentOf(id);
  assert.deepEqual(
    document.history.map(({ created }) => created),
    [history[0]?.created, history[1]?.created, madeAt.toISOString(), madeAt.toISOString()],
  );
  assert.equal(document.created, madeAt.toISOString());
  assert.deepEqual(document.rootfs.diff_ids, [diffId, own.diffId]);
  assert.ok(existsSync(join(own.directory, 'own')));
  assert.deepEqual(vertexes, ['exporting to image', 'exporting to image']);
});

test('entries and layers that do not match are made to, as with BuildKit', async () => {
  const few = await exported('moby', resultOf(refOf(layer('one')), { history }));
  assert.deepEqual(
    documentOf(few['containerimage.digest'] ?? '').history.map(({ empty_layer }) => empty_layer),
    [undefined, true, true, true],
  );
  const none = await exported('moby', resultOf(refOf(layer('two'))));
  assert.equal(
    documentOf(none['containerimage.digest'] ?? '').history[0]?.created_by,
    'created by buildkit',
  );
  await assert.rejects(exported('moby', resultOf(refOf(), { os: '' })), /missing os/);
  assert.match(vertexes.at(-1) ?? '', /^exporting to image: .*missing os/);
});

test('SOURCE_DATE_EPOCH with rewritten times gives the same image twice', async () => {
  const attributes = { 'source-date-epoch': '1000000000', 'rewrite-timestamp': 'true' };
  const first = await exported('moby', resultOf(refOf(layer('a', 'same'))), attributes);
  rmSync(join(root, 'a'), { recursive: true });
  const second = await exported('moby', resultOf(refOf(layer('a', 'same'))), attributes);
  assert.equal(first['containerimage.digest'], second['containerimage.digest']);
  const { created } = documentOf(first['containerimage.digest'] ?? '');
  assert.equal(created, '2001-09-09T01:46:40Z');
  await assert.rejects(
    exported('moby', resultOf(refOf()), { 'source-date-epoch': 'today' }),
    /not a number of seconds/,
  );
});

test('two exports of the same layer at once take it over once', async () => {
  const shared = layer('shared');
  const answers = await Promise.all([
    exported('moby', resultOf(refOf(shared))),
    exported('moby', resultOf(refOf(shared))),
  ]);
  assert.equal(answers[0]?.['containerimage.digest'], answers[1]?.['containerimage.digest']);
});

test('archives of both kinds load elsewhere, and are compressed as asked', async () => {
  for (const [type, attributes, mediaType] of [
    ['docker', {}, 'application/vnd.oci.image.layer.v1.tar+gzip'],
    ['oci', { compression: 'zstd' }, 'application/vnd.oci.image.layer.v1.tar+zstd'],
    ['oci', { compression: 'uncompressed' }, 'application/vnd.oci.image.layer.v1.tar'],
    ['docker', { 'oci-mediatypes': 'false' }, 'application/vnd.docker.image.rootfs.diff.tar.gzip'],
  ] as const) {
    const named = `${type}-${Object.values(attributes).join('')}-app`;
    const answer = await exported(type, resultOf(refOf(layer(named))), {
      name: named,
      'annotation.key': 'value',
      ...attributes,
    });
    const layout = join(root, `layout-${named}`);
    mkdirSync(layout);
    execFileSync('tar', ['-xf', join(root, 'output.tar'), '-C', layout]);
    const blob = (digest = '') =>
      JSON.parse(readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8'));
    const manifest = blob(answer['containerimage.digest']);
    assert.equal(manifest.layers[0].mediaType, mediaType);
    assert.deepEqual(manifest.annotations, { key: 'value' });
    assert.equal(manifest.config.digest, answer['containerimage.config.digest']);
    assert.equal(existsSync(join(layout, 'manifest.json')), type === 'docker');
    const elsewhere = await openImageStore({ root: join(root, `images-${named}`) });
    for await (const _ of elsewhere.load(createReadStream(join(root, 'output.tar'))));
    assert.equal(elsewhere.find(named)?.id, answer['containerimage.config.digest']);
    await elsewhere.close();
  }
});

function platformsResult(): BuildResult {
  const keys = ['linux/amd64', 'linux/arm64'];
  const platforms = keys.map((ID) => {
    const [os, architecture] = ID.split('/');
    return { ID, Platform: { os, architecture } };
  });
  return {
    ref: undefined,
    refs: new Map(keys.map((key) => [key, refOf(layer(key.replace('/', '-')))])),
    metadata: new Map([
      ['refs.platforms', Buffer.from(JSON.stringify({ Platforms: platforms }))],
      ...platforms.map(({ ID, Platform }): [string, Buffer] => [
        `containerimage.config/${ID}`,
        Buffer.from(JSON.stringify(Platform)),
      ]),
    ]),
  };
}

test('several platforms are an index in the store and in an archive', async () => {
  const result = platformsResult();
  await exported('moby', result, { name: 'multi', 'annotation-index.key': 'value' });
  assert.equal(store.find('multi')?.architecture, 'amd64');
  const answer = await exported('oci', result, { name: 'multi' });
  assert.equal(answer['containerimage.config.digest'], undefined);
  const names = execFileSync('tar', ['-tf', join(root, 'output.tar')], { encoding: 'utf8' });
  assert.ok(names.includes(answer['containerimage.digest']?.slice('sha256:'.length) ?? '-'));
  await assert.rejects(exported('docker', result), /does not currently support/);
});

test('trees come as an archive or as a directory, of several platforms below their names', async () => {
  await exported('tar', resultOf(refOf(layer('low'), layer('top'))));
  const list = () => execFileSync('tar', ['-tf', join(root, 'output.tar')], { encoding: 'utf8' });
  assert.equal(list(), 'low\ntop\n');
  await exported('local', resultOf(refOf(layer('one'), layer('two'))));
  assert.deepEqual(saved[0]?.files.split('\n').sort(), ['', './one', './two']);
  const result = platformsResult();
  await exported('local', result);
  assert.deepEqual(
    saved.slice(1).map(({ under }) => under),
    ['linux_amd64', 'linux_arm64'],
  );
  await exported('tar', result);
  assert.match(list(), /^linux_amd64\/\nlinux_amd64\/linux-amd64\nlinux_arm64\//);
  await exported('tar', { ref: undefined, refs: new Map(), metadata: new Map() });
  assert.equal(list(), '');
});

test('what is not served is refused by name', async () => {
  const result = resultOf(refOf());
  await assert.rejects(exported('image', result, { push: 'true' }), /tag is needed/);
  await assert.rejects(exported('image', result, { compression: 'estargz' }), /not supported/);
  await assert.rejects(exported('image', result, { compression: 'lzma' }), /unsupported layer/);
  await assert.rejects(exported('image', result, { 'oci-mediatypes': 'perhaps' }), /non-bool/);
});
