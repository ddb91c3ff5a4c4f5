import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Progress } from '../contract/image.ts';
import { openImageStore } from './oci-store.ts';
import { ensureStarterImage } from './starter-image.ts';
import type { OpenImageStore } from './store.ts';
import { archiveOf, digestOf, imageOf, ociArchive } from './testdata/image.ts';
import { type RawEntry, tarOf } from './testdata/tar.ts';

let root: string;
let store: OpenImageStore;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'corten-images-store-'));
  store = await openImageStore({ root: join(root, 'images') });
});
afterEach(async () => {
  await store.close();
  rmSync(root, { recursive: true });
});

const base: RawEntry[] = [
  { name: 'bin/', type: '5' },
  { name: 'bin/sh', content: 'shell', mode: 0o755 },
];
const top: RawEntry[] = [{ name: 'app', content: 'program' }, { name: 'bin/.wh.sh' }];

async function said(lines: AsyncIterable<Progress>): Promise<Progress[]> {
  const all: Progress[] = [];
  for await (const line of lines) all.push(line);
  return all;
}
const load = (archive: Readable) => said(store.load(archive));

/** Everything in the store but the two files of an empty layout. */
function content(): string[] {
  return execFileSync('find', ['.', '-type', 'f', '-o', '-name', '*.tmp'], {
    cwd: join(root, 'images'),
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => path !== '' && path !== './oci-layout' && path !== './index.json')
    .sort();
}

async function saved(references: string[]): Promise<string> {
  const path = join(root, 'saved.tar');
  await pipeline(await store.save(references), createWriteStream(path));
  return path;
}

test('an OCI archive becomes an image, with its layers as lowers', async () => {
  const image = imageOf([base, top]);
  const lines = await load(ociArchive(image, 'docker.io/corten/test:1'));
  assert.equal(lines.at(-1)?.stream, 'Loaded image: corten/test:1\n');
  const found = store.find('corten/test:1');
  assert.equal(found?.id, digestOf(image.config));
  assert.deepEqual(found?.tags, ['corten/test:1']);
  assert.deepEqual(found?.config.Cmd, ['sh']);
  assert.equal(found?.sizeBytes, 'shell'.length + 'program'.length);
  assert.equal(readFileSync(join(found?.lowers.at(-1) ?? '', 'bin/sh'), 'utf8'), 'shell');
  assert.ok(statSync(join(found?.lowers[0] ?? '', 'bin/sh')).isCharacterDevice());
  assert.deepEqual(
    store.history('corten/test:1').map(({ createdBy, sizeBytes }) => [createdBy, sizeBytes]),
    [
      ['step 1', 7],
      ['step 0', 5],
    ],
  );
  assert.equal(statSync(join(root, 'images')).mode & 0o777, 0o700);
});

test('skopeo reads the store as the OCI layout that it is', async () => {
  await load(ociArchive(imageOf([base, top]), 'docker.io/corten/test:1'));
  const inspect = (reference: string) =>
    JSON.parse(execFileSync('skopeo', ['inspect', reference], { encoding: 'utf8' }));
  assert.equal(inspect(`oci:${join(root, 'images')}`).Layers.length, 2);
  assert.equal(inspect(`oci:${join(root, 'images')}:docker.io/corten/test:1`).Layers.length, 2);
});

test('found by name, digest, id and prefix; an ambiguous prefix is an error', async () => {
  const image = imageOf([base]);
  await load(ociArchive(image, 'docker.io/library/test:latest'));
  const id = digestOf(image.config);
  for (const reference of [
    'test',
    'test:latest',
    'docker.io/library/test',
    id,
    id.slice(7),
    id.slice(7, 19),
    id.slice(0, 20),
    `test@${digestOf(image.manifest)}`,
  ])
    assert.equal(store.find(reference)?.id, id, reference);
  for (const reference of [
    'test:2',
    'other',
    `sha256:${'0'.repeat(64)}`,
    `other@${digestOf(image.manifest)}`,
  ])
    assert.equal(store.find(reference), undefined, reference);
  for (let count = 0; count < 20; count++)
    await load(ociArchive(imageOf([[{ name: `f${count}` }]])));
  const prefixes = store.list().map((one) => one.id[7]);
  const twice = prefixes.find((letter, index) => prefixes.indexOf(letter) !== index) ?? '';
  assert.throws(() => store.find(twice), { kind: 'invalid', message: /ambiguous/ });
});

test('a name moves to another image, and the old one stays without', async () => {
  const first = imageOf([base]);
  await load(ociArchive(first, 'docker.io/library/a:1'));
  await load(ociArchive(imageOf([top]), 'docker.io/library/a:1'));
  assert.deepEqual(store.find(digestOf(first.config))?.tags, []);
  await store.tag(digestOf(first.config), 'localhost:5000/b:x');
  await store.tag(digestOf(first.config), 'c');
  assert.deepEqual(store.find('c')?.tags, ['c:latest', 'localhost:5000/b:x']);
  assert.equal(store.list().length, 2);
  await store.untag('c');
  await store.untag('localhost:5000/b:x');
  assert.deepEqual(store.find(digestOf(first.config))?.tags, []);
  await assert.rejects(store.untag('c'), { kind: 'not-found' });
  await assert.rejects(store.tag('c', 'd'), { kind: 'not-found' });
  await assert.rejects(store.tag(digestOf(first.config), 'Bad Name'), { kind: 'invalid' });
});

test('names and layers outlive a restart; a layer that is missing is unpacked again', async () => {
  await load(ociArchive(imageOf([base]), 'docker.io/library/a:1'));
  const [before] = store.list();
  rmSync(before?.lowers.at(-1) ?? '', { recursive: true });
  await store.close();
  store = await openImageStore({ root: join(root, 'images') });
  assert.deepEqual(store.list(), [before]);
  assert.ok(existsSync(join(before?.lowers.at(-1) ?? '', 'bin/sh')));
});

test('deleting removes what only that image used', async () => {
  const both = imageOf([base, top]);
  await load(ociArchive(imageOf([base]), 'docker.io/library/a:1'));
  await load(ociArchive(both, 'docker.io/library/b:1'));
  const { deleted, reclaimedBytes } = await store.delete(digestOf(both.config));
  assert.deepEqual(deleted, [digestOf(both.config), both.diffIds[1]]);
  assert.ok(reclaimedBytes > 'program'.length);
  assert.equal(store.find('b:1'), undefined);
  assert.equal(
    readFileSync(join(store.find('a:1')?.lowers.at(-1) ?? '', 'bin/sh'), 'utf8'),
    'shell',
  );
  await store.delete('a:1');
  assert.deepEqual(content(), []);
  await assert.rejects(store.delete('a:1'), { kind: 'not-found' });
});

test('the sweep removes what a crash left, and no young download', async () => {
  await load(ociArchive(imageOf([base]), 'docker.io/library/a:1'));
  const kept = content();
  const images = join(root, 'images');
  const old = new Date(Date.now() - 30 * 24 * 3600 * 1000);
  writeFileSync(join(images, 'blobs/sha256', 'a'.repeat(64)), 'orphan');
  mkdirSync(join(images, 'layers', `${'b'.repeat(64)}.x.tmp`, 'fs'), { recursive: true });
  mkdirSync(join(images, 'ingest/load-x'));
  writeFileSync(join(images, 'ingest', 'c'.repeat(64)), 'old');
  utimesSync(join(images, 'ingest', 'c'.repeat(64)), old, old);
  writeFileSync(join(images, 'ingest', 'd'.repeat(64)), 'young');
  await store.sweep();
  assert.deepEqual(content(), [...kept, `./ingest/${'d'.repeat(64)}`].sort());
  assert.deepEqual(readdirSync(join(images, 'ingest')), ['d'.repeat(64)]);
  assert.equal(store.list().length, 1);
});

test('what is saved is loaded as the same images, by us and by skopeo', async () => {
  const image = imageOf([base, top]);
  await load(ociArchive(image, 'docker.io/library/a:1'));
  await store.tag('a:1', 'localhost:5000/b:2');
  await load(
    ociArchive(
      imageOf([[...base, { name: 'x' }]], {
        compress: (layer) => zstdCompressSync(layer),
        mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
      }),
      'docker.io/library/z:1',
    ),
  );
  const path = await saved(['a:1', 'localhost:5000/b:2', 'z']);
  const inspect = (reference: string) =>
    JSON.parse(execFileSync('skopeo', ['inspect', '--config', reference], { encoding: 'utf8' }));
  for (const name of ['a:1', 'z:1'])
    assert.deepEqual(inspect(`docker-archive:${path}:${name}`).config.Cmd, ['sh'], name);
  const copied = join(root, 'copied');
  execFileSync('skopeo', ['copy', '-q', `docker-archive:${path}:a:1`, `dir:${copied}`]);
  const other = await openImageStore({ root: join(root, 'other') });
  await said(other.load(createReadStream(path)));
  assert.deepEqual(other.find('a:1')?.tags, ['a:1', 'localhost:5000/b:2']);
  assert.deepEqual(other.find('a:1')?.id, digestOf(image.config));
  assert.deepEqual(other.find('z:1')?.diffIds, store.find('z:1')?.diffIds);
  await other.close();
  assert.deepEqual(inspect(`oci-archive:${await saved(['z:1'])}`).config.Cmd, ['sh']);
  await assert.rejects(store.save(['nothing']), { kind: 'not-found' });
});

test('archives of docker, plain, gzip’d and of old dockers with links, load too', async () => {
  await load(ociArchive(imageOf([base, top]), 'docker.io/library/a:1'));
  const path = await saved(['a:1']);
  const docker = join(root, 'docker.tar');
  execFileSync('skopeo', [
    'copy',
    '-q',
    `docker-archive:${path}`,
    `docker-archive:${docker}:docker.io/library/b:2`,
  ]);
  await store.delete('a:1');
  const [line] = (await load(createReadStream(docker))).slice(-1);
  assert.equal(line?.stream, 'Loaded image: b:2\n');
  assert.equal(
    readFileSync(join(store.find('b:2')?.lowers.at(-1) ?? '', 'bin/sh'), 'utf8'),
    'shell',
  );
  await store.delete('b:2');
  await load(Readable.from([gzipSync(readFileSync(docker))]));
  assert.ok(store.find('b:2'));
  const layer = tarOf(base);
  const config = imageOf([base]).config;
  await load(
    archiveOf([
      { name: 'one/layer.tar', content: layer },
      { name: 'two/layer.tar', type: '2', linkName: '../one/layer.tar' },
      { name: `${digestOf(config).slice(7)}.json`, content: config },
      {
        name: 'manifest.json',
        content: JSON.stringify([
          {
            Config: `${digestOf(config).slice(7)}.json`,
            RepoTags: ['old:1'],
            Layers: ['two/layer.tar'],
          },
        ]),
      },
    ]),
  );
  assert.equal(
    readFileSync(join(store.find('old:1')?.lowers.at(-1) ?? '', 'bin/sh'), 'utf8'),
    'shell',
  );
});

const wrong = `sha256:${'0'.repeat(64)}`;
const badLoads: [string, () => Readable, RegExp][] = [
  ['nothing', () => Readable.from([]), /invalid archive/],
  [
    'no archive',
    () => Readable.from([Buffer.from('hello '.repeat(500))]),
    /archive is damaged|not a tar/,
  ],
  [
    'an archive of something else',
    () => archiveOf([{ name: 'f', content: 'x' }]),
    /neither a manifest.json nor/,
  ],
  [
    'a layer with a wrong digest',
    () =>
      ociArchive(imageOf([base]), 'bad:1', (_, bytes) =>
        bytes[0] === 0x1f ? randomBytes(bytes.length) : bytes,
      ),
    /has the content of/,
  ],
  [
    'a configuration with a wrong digest',
    () =>
      ociArchive(imageOf([base]), 'bad:1', (_, bytes) =>
        Buffer.from(bytes.toString('latin1').replace('"sh"', '"evil"'), 'latin1'),
      ),
    /has the content of/,
  ],
  [
    'a wrong diff id',
    () => ociArchive(imageOf([base], { diffIds: [wrong] }), 'bad:1'),
    /its image says sha256:000/,
  ],
  [
    'a missing diff id',
    () => ociArchive(imageOf([base], { diffIds: [] }), 'bad:1'),
    /1 layers, but 0 layer ids/,
  ],
  [
    'traversal in its second layer',
    () => ociArchive(imageOf([top, [{ name: '../../../evil' }]]), 'bad:1'),
    /leaves the layer/,
  ],
  [
    'a disk in a layer',
    () => ociArchive(imageOf([[{ name: 'sda', type: '4', major: 8 }]]), 'bad:1'),
    /block device 8:0/,
  ],
  [
    'another system',
    () => ociArchive(imageOf([base], { os: 'windows' }), 'bad:1'),
    /operating system "windows"/,
  ],
  [
    'a configuration of wrong types',
    () => ociArchive(imageOf([base], { config: { Env: 'PATH=/' } }), 'bad:1'),
    /Env is not a list/,
  ],
  [
    'a name that is none',
    () => ociArchive(imageOf([base]), 'Bad Name'),
    /invalid reference format/,
  ],
  [
    'a file of absurd size',
    () => archiveOf([{ name: 'blobs/sha256/x', declaredBytes: 2 ** 50 }]),
    /no space left/,
  ],
  [
    'a manifest that leads outside',
    () =>
      archiveOf([
        {
          name: 'manifest.json',
          content: JSON.stringify([
            { Config: '../../../../../../etc/passwd', Layers: ['/etc/shadow'] },
          ]),
        },
      ]),
    /is missing/,
  ],
];

for (const [what, archive, message] of badLoads)
  test(`a load of ${what} changes nothing`, async () => {
    await load(ociArchive(imageOf([base]), 'docker.io/library/good:1'));
    const before = [content(), readFileSync(join(root, 'images/index.json'), 'utf8')];
    await assert.rejects(load(archive()), { message });
    assert.deepEqual([content(), readFileSync(join(root, 'images/index.json'), 'utf8')], before);
    assert.deepEqual(readdirSync(join(root, 'images/ingest')), []);
  });

test('a layer can be put on top of an image, and of nothing', async () => {
  await load(ociArchive(imageOf([base]), 'docker.io/library/a:1'));
  const layer = tarOf(top);
  const id = await store.commitLayer({
    parent: 'a:1',
    layer: Readable.from([layer.subarray(0, 700), layer.subarray(700)]),
    config: { Cmd: ['/app'] },
    history: { createdBy: 'commit', comment: 'why', author: 'Ann' },
    name: 'b',
  });
  const image = store.find('b');
  assert.equal(image?.id, id);
  assert.equal(image?.author, 'Ann');
  assert.deepEqual(image?.diffIds.at(-1), digestOf(layer));
  assert.deepEqual(image?.config, { Cmd: ['/app'] });
  assert.deepEqual(
    store.history('b').map(({ createdBy }) => createdBy),
    ['commit', 'step 0'],
  );
  assert.equal(readFileSync(join(image?.lowers[0] ?? '', 'app'), 'utf8'), 'program');
  const alone = await store.commitLayer({
    layer: Readable.from([layer]),
    config: {},
    history: { createdBy: 'import' },
  });
  assert.deepEqual(store.find(alone)?.tags, []);
  assert.ok((await buffer(await store.save(['b']))).length > 0);
  const before = content();
  const bad = Readable.from([tarOf([{ name: '../evil' }])]);
  await assert.rejects(store.commitLayer({ layer: bad, config: {}, history: { createdBy: '' } }), {
    kind: 'invalid',
  });
  assert.deepEqual(content(), before);
});

test('the starter image is built the same twice, loaded once, and small', async () => {
  const script = join(import.meta.dirname, '../../scripts/starter-image');
  const [first, second] = [join(root, '1.tar'), join(root, '2.tar')];
  for (const path of [first, second]) execFileSync(script, [path]);
  assert.ok(readFileSync(first).equals(readFileSync(second)));
  assert.ok(statSync(first).size < 2 * 1024 * 1024);
  await ensureStarterImage(store, first);
  await ensureStarterImage(store, join(root, 'missing'));
  const image = store.find('corten/starter');
  assert.deepEqual(image?.config.Cmd, ['sh']);
  const lower = image?.lowers.at(-1) ?? '';
  assert.equal(statSync(join(lower, 'tmp')).mode & 0o7777, 0o1777);
  const run = execFileSync(
    'chroot',
    [lower, '/bin/sh', '-c', 'id -un; ls -d /root /tmp; echo $((6 * 7))'],
    { encoding: 'utf8' },
  );
  assert.equal(run, 'root\n/root\n/tmp\n42\n');
});
