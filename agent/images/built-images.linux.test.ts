/** Images from directories, as builds make them: sent, saved and removed like images from elsewhere. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  createWriteStream,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, test } from 'node:test';
import { withFd } from '../kernel/files.ts';
import { overlayAttribute } from '../kernel/overlay.ts';
import { getXattr, setXattr } from '../kernel/xattr.ts';
import { openImageStore } from './oci-store.ts';
import type { OpenImageStore } from './store.ts';
import { digestOf, imageOf, ociArchive } from './testdata/image.ts';
import { startRegistry } from './testdata/registry.ts';

let root: string;
let store: OpenImageStore;
const platform = { os: 'linux', architecture: 'amd64' };
const signal = new AbortController().signal;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'corten-built-images-'));
  store = await openImageStore({ root: join(root, 'images'), platform });
});
afterEach(async () => {
  await store.close();
  rmSync(root, { recursive: true });
});

/** A lower with a link, a whiteout, an opaque directory and an attribute. */
function lower(name: string, content = 'text'): string {
  const directory = join(root, name);
  mkdirSync(join(directory, 'etc/opaque'), { recursive: true });
  writeFileSync(join(directory, 'etc/file'), content);
  linkSync(join(directory, 'etc/file'), join(directory, 'etc/same'));
  symlinkSync('file', join(directory, 'etc/link'));
  execFileSync('mknod', [join(directory, 'etc/gone'), 'c', '0', '0']);
  withFd(openSync(join(directory, 'etc/opaque'), 'r'), (fd) => {
    setXattr(fd, overlayAttribute('opaque'), Buffer.from('y'));
    setXattr(fd, 'user.note', Buffer.from('kept'));
  });
  for (const path of ['etc/file', 'etc/link', 'etc/opaque', 'etc'])
    lutimesSync(join(directory, path), 5e8, 5e8);
  return directory;
}

function config(diffIds: string[]): Buffer {
  const rootfs = { type: 'layers', diff_ids: diffIds };
  return Buffer.from(JSON.stringify({ ...platform, config: { Cmd: ['sh'] }, rootfs }));
}

async function add(names: string[], directories: string[], below: string[] = []) {
  const added = [];
  for (const directory of directories) added.push(await store.addLayer({ directory }));
  const diffIds = [...below, ...added.map(({ diffId }) => diffId)];
  const images = [{ config: config(diffIds), diffIds, platform }];
  const image = await store.addImage({ images, names });
  for (const { release } of added) release();
  return { ...image, diffIds };
}

async function consume(lines: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of lines);
}

test('a directory becomes a layer by a rename, and the same files give the same digest', async () => {
  const inode = lstatSync(join(lower('a'), 'etc/file')).ino;
  const first = await store.addLayer({ directory: join(root, 'a') });
  const second = await store.addLayer({ directory: lower('b') });
  assert.equal(second.diffId, first.diffId);
  assert.equal(second.directory, first.directory);
  assert.equal(lstatSync(join(first.directory, 'etc/file')).ino, inode);
  assert.ok(!existsSync(join(root, 'a')));
  const other = await store.addLayer({ directory: lower('c', 'other') });
  assert.notEqual(other.diffId, first.diffId);
  for (const { release } of [first, second, other]) release();
  await store.sweep();
  assert.deepEqual(readdirSync(join(root, 'images/layers')), []);
});

test('an empty directory is the layer without entries that every builder makes', async () => {
  mkdirSync(join(root, 'empty'));
  const { diffId } = await store.addLayer({ directory: join(root, 'empty') });
  assert.equal(diffId, 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef');
});

test('an image over one that was loaded keeps its blobs, and a saved one loads elsewhere with the same id', async () => {
  const base = imageOf([[{ name: 'etc/', type: '5' }, { name: 'etc/gone' }]]);
  await consume(store.load(ociArchive(base, 'docker.io/library/base:1')));
  const { id, diffIds } = await add(['app', 'app:2'], [lower('a')], base.diffIds);
  const found = store.find('app');
  assert.equal(found?.id, id);
  assert.deepEqual(found?.tags, ['app:2', 'app:latest']);
  assert.deepEqual(found?.diffIds, diffIds);
  const archive = join(root, 'saved.tar');
  await pipeline(await store.save(['app:2']), createWriteStream(archive));
  const names = execFileSync('tar', ['-tf', archive], { encoding: 'utf8' });
  const [blob] = base.layers;
  assert.ok(blob !== undefined && names.includes(digestOf(blob).slice(7)));
  const elsewhere = await openImageStore({ root: join(root, 'elsewhere'), platform });
  try {
    await consume(elsewhere.load(Readable.from([readFileSync(archive)])));
    const loaded = elsewhere.find('app:2');
    assert.equal(loaded?.id, id);
    const etc = join(loaded?.lowers[0] ?? '', 'etc');
    assert.equal(readFileSync(join(etc, 'file'), 'utf8'), 'text');
    assert.equal(lstatSync(join(etc, 'same')).ino, lstatSync(join(etc, 'file')).ino);
    assert.equal(lstatSync(join(etc, 'gone')).rdev, 0);
    withFd(openSync(join(etc, 'opaque'), 'r'), (fd) => {
      assert.equal(getXattr(fd, overlayAttribute('opaque'))?.toString(), 'y');
      assert.equal(getXattr(fd, 'user.note')?.toString(), 'kept');
    });
  } finally {
    await elsewhere.close();
  }
});

test('a restart knows the layers, and a removal takes them away', async () => {
  await add(['app'], [lower('a')]);
  await store.close();
  store = await openImageStore({ root: join(root, 'images'), platform });
  await store.sweep();
  assert.ok(existsSync(store.find('app')?.lowers[0] ?? ''));
  await pipeline(await store.save(['app']), createWriteStream(join(root, 'saved.tar')));
  const { deleted } = await store.delete(store.find('app')?.id ?? '');
  assert.equal(deleted.length, 2);
  await store.sweep();
  assert.deepEqual(readdirSync(join(root, 'images/layers')), []);
  assert.deepEqual(readdirSync(join(root, 'images/blobs/sha256')), []);
});

test('a layer whose files were changed behind the back of the store is not saved as what it was', async () => {
  await add(['app'], [lower('a')]);
  writeFileSync(join(store.find('app')?.lowers[0] ?? '', 'etc/file'), 'evil');
  await assert.rejects(
    pipeline(await store.save(['app']), createWriteStream(join(root, 'saved.tar'))),
    /have changed on disk/,
  );
});

test('later times become the one that is given, and the directory stays where it is', async () => {
  const directory = lower('a');
  const latestNanos = 400_000_000n * 1_000_000_000n;
  const first = await store.addLayer({ directory, latestNanos });
  assert.equal(lstatSync(join(first.directory, 'etc/file')).mtimeMs, 4e11);
  utimesSync(join(directory, 'etc/file'), 6e8, 6e8);
  assert.equal((await store.addLayer({ directory, latestNanos })).diffId, first.diffId);
  assert.ok(existsSync(join(directory, 'etc/file')));
});

test('a push compresses the layers once, and skopeo reads the same image', async () => {
  const registry = await startRegistry(join(root, 'registry'));
  try {
    const { id } = await add([`${registry.domain}/app`], [lower('a'), lower('b', 'other')]);
    const reference = `${registry.domain}/app:latest`;
    await consume(store.push({ reference, signal }));
    const inspected = execFileSync(
      'skopeo',
      ['inspect', '--raw', '--tls-verify=false', `docker://${reference}`],
      { encoding: 'utf8' },
    );
    const manifest = JSON.parse(inspected) as {
      config: { digest: string };
      layers: { mediaType: string }[];
    };
    assert.equal(manifest.config.digest, id);
    assert.deepEqual(
      manifest.layers.map(({ mediaType }) => mediaType),
      Array(2).fill('application/vnd.oci.image.layer.v1.tar+gzip'),
    );
    const pushed = store.find('app') ?? store.find(reference);
    assert.equal(pushed?.id, id);
    assert.equal(pushed?.repoDigests.length, 1);
    await consume(store.push({ reference, signal }));
    assert.equal(store.find(reference)?.repoDigests.length, 1);
    await store.delete(id);
    await consume(store.pull({ reference, allTags: false, signal }));
    assert.equal(store.find(reference)?.id, id);
    const top = store.find(reference)?.lowers[0] ?? '';
    assert.equal(readFileSync(join(top, 'etc/file'), 'utf8'), 'other');
  } finally {
    await registry.stop();
  }
});

test('a list for two platforms is one image here, and is saved, pushed and removed whole', async () => {
  const registry = await startRegistry(join(root, 'registry'));
  try {
    const images = [];
    for (const architecture of ['arm64', 'amd64']) {
      const { diffId } = await store.addLayer({ directory: lower(architecture, architecture) });
      const rootfs = { type: 'layers', diff_ids: [diffId] };
      const bytes = Buffer.from(JSON.stringify({ os: 'linux', architecture, config: {}, rootfs }));
      images.push({ config: bytes, diffIds: [diffId], platform: { os: 'linux', architecture } });
    }
    const reference = `${registry.domain}/app:latest`;
    const { id, descriptor } = await store.addImage({ images, index: {}, names: [reference] });
    assert.equal(descriptor.mediaType, 'application/vnd.oci.image.index.v1+json');
    assert.equal(id, digestOf(images[1]?.config ?? Buffer.alloc(0)));
    assert.equal(store.find(reference)?.architecture, 'amd64');
    await store.sweep();
    await consume(store.push({ reference, signal }));
    const raw = execFileSync(
      'skopeo',
      ['inspect', '--raw', '--tls-verify=false', `docker://${reference}`],
      { encoding: 'utf8' },
    );
    const { manifests } = JSON.parse(raw) as { manifests: { platform: unknown }[] };
    assert.deepEqual(
      manifests.map((each) => each.platform),
      images.map((each) => each.platform),
    );
    const archive = join(root, 'saved.tar');
    await pipeline(await store.save([reference]), createWriteStream(archive));
    const blobs = execFileSync('tar', ['-tf', archive], { encoding: 'utf8' }).match(/sha256\/\w+/g);
    assert.equal(blobs?.length, 1 + 2 * 3);
    await store.delete(id);
    await store.sweep();
    assert.deepEqual(readdirSync(join(root, 'images/blobs/sha256')), []);
  } finally {
    await registry.stop();
  }
});
