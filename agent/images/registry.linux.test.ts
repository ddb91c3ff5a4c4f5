/** The store against Debian's docker-registry, filled by skopeo. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import type { Progress, RegistryCredentials } from '../contract/image.ts';
import { openImageStore } from './oci-store.ts';
import type { OpenImageStore } from './store.ts';
import { digestOf, imageOf, type TestImage, writeLayout } from './testdata/image.ts';
import {
  type CutLine,
  cuttingProxy,
  startRegistry,
  type TestRegistry,
} from './testdata/registry.ts';

let shared: string;
let open: TestRegistry;
let closed: TestRegistry;
let root: string;
let store: OpenImageStore;
const proxies: CutLine[] = [];

const ann: RegistryCredentials = { username: 'ann', password: 'secret' };
const layers = [0, 1, 2, 3].map((index) => [
  { name: `layer${index}/`, type: '5' },
  { name: `layer${index}/data`, content: randomBytes(1_500_000) },
]);
const gzipped = imageOf(layers);
const zstded = imageOf(layers, {
  compress: (layer) => zstdCompressSync(layer),
  mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
});

before(async () => {
  shared = mkdtempSync(join(tmpdir(), 'corten-images-registry-'));
  open = await startRegistry(join(shared, 'open'));
  closed = await startRegistry(join(shared, 'closed'), { password: true });
  publish(gzipped, 'app/gzip:1');
  publish(zstded, 'app/zstd:1');
});
after(async () => {
  await open.stop();
  await closed.stop();
  rmSync(shared, { recursive: true });
});
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'corten-images-pull-'));
  store = await openImageStore({ root: join(root, 'images') });
});
afterEach(async () => {
  for (const proxy of proxies.splice(0)) proxy.stop();
  await store.close();
  rmSync(root, { recursive: true });
});

function publish(image: TestImage, name: string, options: string[] = ['--preserve-digests']): void {
  const layout = mkdtempSync(join(shared, 'layout-'));
  writeLayout(image, layout);
  const target = `docker://${open.domain}/${name}`;
  execFileSync('skopeo', [
    'copy',
    '-q',
    '--dest-tls-verify=false',
    ...options,
    `oci:${layout}:latest`,
    target,
  ]);
}

interface PullOptions {
  credentials?: RegistryCredentials;
  allTags?: boolean;
  platform?: string;
  abort?: AbortController;
  onLine?: (line: Progress) => void;
}

async function pull(reference: string, options: PullOptions = {}): Promise<Progress[]> {
  const { abort = new AbortController(), onLine = () => {}, allTags = false, ...rest } = options;
  const lines: Progress[] = [];
  for await (const line of store.pull({ reference, allTags, signal: abort.signal, ...rest })) {
    lines.push(line);
    onLine(line);
  }
  return lines;
}

async function push(reference: string, credentials?: RegistryCredentials): Promise<Progress[]> {
  const lines: Progress[] = [];
  const { signal } = new AbortController();
  for await (const line of store.push({ reference, credentials, signal })) lines.push(line);
  return lines;
}

async function proxied(cuts: number[]): Promise<CutLine> {
  const proxy = await cuttingProxy(open.domain, cuts);
  proxies.push(proxy);
  return proxy;
}

const ingest = () => readdirSync(join(root, 'images/ingest'));
const statuses = (lines: Progress[]) => lines.map(({ status }) => status);

function holdsLayers(reference: string): void {
  const image = store.find(reference);
  assert.equal(image?.lowers.length, layers.length);
  for (const [index, entries] of layers.entries()) {
    const path = join(image?.lowers.at(-1 - index) ?? '', `layer${index}/data`);
    assert.ok(readFileSync(path).equals(Buffer.from(entries[1]?.content ?? '')), path);
  }
}

for (const [kind, image] of [
  ['gzip', gzipped],
  ['zstd', zstded],
] as const)
  test(`an image with ${kind} layers is pulled by tag, in docker's words, and then up to date`, async () => {
    const name = `${open.domain}/app/${kind}:1`;
    const lines = await pull(name);
    holdsLayers(name);
    assert.deepEqual(lines[0], { id: '1', status: `Pulling from app/${kind}` });
    assert.deepEqual(statuses(lines.slice(-2)), [
      `Digest: ${digestOf(image.manifest)}`,
      `Status: Downloaded newer image for ${name}`,
    ]);
    for (const word of [
      'Pulling fs layer',
      'Downloading',
      'Verifying Checksum',
      'Download complete',
      'Extracting',
      'Pull complete',
    ])
      assert.ok(statuses(lines).includes(word), word);
    assert.equal(statuses(lines).filter((status) => status === 'Pull complete').length, 4);
    assert.deepEqual(store.find(name)?.repoDigests, [
      `${open.domain}/app/${kind}@${digestOf(image.manifest)}`,
    ]);
    assert.deepEqual(ingest(), []);
    const again = await pull(name);
    assert.equal(statuses(again).at(-1), `Status: Image is up to date for ${name}`);
    assert.equal(statuses(again).filter((status) => status === 'Already exists').length, 4);
  });

test('by digest, the image has no tag but its digest; another compression brings no second layer', async () => {
  const name = `${open.domain}/app/gzip@${digestOf(gzipped.manifest)}`;
  await pull(name);
  holdsLayers(name);
  assert.deepEqual(store.find(name)?.tags, []);
  await pull(`${open.domain}/app/zstd:1`);
  assert.equal(store.layerSizes().size, 4);
});

test('of an index the platform that was asked for is taken', async () => {
  const layout = mkdtempSync(join(shared, 'index-'));
  const other = imageOf([[{ name: 'other' }]]);
  writeLayout(gzipped, layout);
  writeLayout(other, layout);
  const at = (image: TestImage, architecture: string) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOf(image.manifest),
    size: image.manifest.length,
    platform: { os: 'linux', architecture },
  });
  const host = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      manifests: [at(other, 's390x'), at(gzipped, host)],
    }),
  );
  writeFileSync(join(layout, 'blobs/sha256', digestOf(index).slice(7)), index);
  const top = {
    mediaType,
    digest: digestOf(index),
    size: index.length,
    annotations: { 'org.opencontainers.image.ref.name': 'latest' },
  };
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [top] }));
  execFileSync('skopeo', [
    'copy',
    '-q',
    '--all',
    '--dest-tls-verify=false',
    `oci:${layout}:latest`,
    `docker://${open.domain}/app/multi:1`,
  ]);
  const name = `${open.domain}/app/multi:1`;
  await pull(name);
  holdsLayers(name);
  assert.deepEqual(store.find(name)?.repoDigests, [`${open.domain}/app/multi@${digestOf(index)}`]);
  await pull(name, { platform: 'linux/s390x' });
  assert.equal(store.find(name)?.lowers.length, 1);
  await assert.rejects(pull(name, { platform: 'linux/riscv64' }), {
    kind: 'not-found',
    message: /no matching manifest for linux\/riscv64 in the manifest list entries/,
  });
});

test('manifests of Docker’s schema 2 are read, and all tags of a repository', async () => {
  publish(gzipped, 'app/docker:a', ['--format', 'v2s2']);
  publish(gzipped, 'app/docker:b', ['--format', 'v2s2']);
  await pull(`${open.domain}/app/docker`, { allTags: true });
  holdsLayers(`${open.domain}/app/docker:a`);
  holdsLayers(`${open.domain}/app/docker:b`);
});

test('a line that is cut again and again delays a pull, and no byte comes twice', async () => {
  const proxy = await proxied([700_000, 400_000, 900_000, 1_200_000]);
  const name = `${proxy.domain}/app/gzip:1`;
  await pull(name);
  holdsLayers(name);
  const total = gzipped.layers.reduce((sum, layer) => sum + layer.length, 0);
  assert.equal(proxy.cutsLeft(), 0);
  // What was under way in the line's buffers when it was cut does come again.
  assert.ok(
    proxy.receivedBytes() < total + 4 * 1024 * 1024,
    `${proxy.receivedBytes()} of ${total}`,
  );
});

test('a cancelled pull goes on where it was, after a restart too', async () => {
  const proxy = await proxied([]);
  const name = `${proxy.domain}/app/gzip:1`;
  const abort = new AbortController();
  const onLine = ({ status }: Progress) => {
    if (status === 'Download complete') abort.abort();
  };
  await assert.rejects(pull(name, { abort, onLine }), { name: 'AbortError' });
  const keptBytes = ingest().reduce(
    (sum, file) => sum + statSync(join(root, 'images/ingest', file)).size,
    0,
  );
  assert.ok(keptBytes >= 1_500_000, `${keptBytes}`);
  assert.equal(store.find(name), undefined);
  await store.close();
  store = await openImageStore({ root: join(root, 'images') });
  await store.sweep();
  const before = proxy.receivedBytes();
  await pull(name);
  holdsLayers(name);
  const total = gzipped.layers.reduce((sum, layer) => sum + layer.length, 0);
  assert.ok(proxy.receivedBytes() - before < total - keptBytes + 200_000);
  assert.deepEqual(ingest(), []);
});

test('a registry that serves other bytes than it promises is found out, and nothing stays', async () => {
  const image = imageOf([
    [{ name: 'good', content: randomBytes(5000) }],
    [{ name: 'more', content: randomBytes(5000) }],
  ]);
  publish(image, 'app/liar:1');
  const [, layer = Buffer.alloc(0)] = image.layers;
  writeFileSync(open.blobPath(digestOf(layer)), randomBytes(layer.length));
  await assert.rejects(pull(`${open.domain}/app/liar:1`), {
    kind: 'invalid',
    message: /verification failed for digest sha256:/,
  });
  assert.deepEqual(store.list(), []);
  assert.deepEqual(ingest(), []);
  assert.deepEqual(readdirSync(join(root, 'images/layers')), []);
  assert.deepEqual(readdirSync(join(root, 'images/blobs/sha256')), []);
});

test('a hostile image changes nothing, and says which entry it was', async () => {
  publish(imageOf([layers[0] ?? [], [{ name: '../../../escape' }]]), 'app/evil:1');
  await assert.rejects(pull(`${open.domain}/app/evil:1`), {
    kind: 'invalid',
    message: /a path leaves the layer: "..\/..\/..\/escape"/,
  });
  assert.deepEqual(ingest(), []);
  assert.deepEqual(readdirSync(join(root, 'images/layers')), []);
  assert.deepEqual(readdirSync(join(root, 'images/blobs/sha256')), []);
});

test('two pulls of one image at a time fetch it once', async () => {
  const proxy = await proxied([]);
  const name = `${proxy.domain}/app/gzip:1`;
  await Promise.all([pull(name), pull(name)]);
  holdsLayers(name);
  const total = gzipped.layers.reduce((sum, layer) => sum + layer.length, 0);
  assert.ok(proxy.receivedBytes() < total * 1.2);
});

test('what the registry lacks is told apart and named', async () => {
  await assert.rejects(pull(`${open.domain}/app/gzip:9`), {
    kind: 'not-found',
    message: `manifest for ${open.domain}/app/gzip:9 not found: manifest unknown: manifest unknown`,
  });
  await assert.rejects(pull(`${open.domain}/app/gzip@sha256:${'0'.repeat(64)}`), {
    kind: 'not-found',
  });
  await assert.rejects(pull('Not A Name'), {
    kind: 'invalid',
    message: /invalid reference format/,
  });
});

test('a registry with a password: refused without, refused with a wrong one, then pushed and pulled', async () => {
  await assert.rejects(store.login({ ...ann, password: 'wrong', serverAddress: closed.domain }), {
    kind: 'unauthorized',
  });
  assert.deepEqual(await store.login({ ...ann, serverAddress: `http://${closed.domain}` }), {});
  await pull(`${open.domain}/app/gzip:1`);
  const target = `${closed.domain}/mine/app:2`;
  await store.tag(`${open.domain}/app/gzip:1`, target);
  await assert.rejects(push(target), { kind: 'unauthorized', message: /push access denied/ });
  const lines = await push(target, ann);
  assert.equal(lines[0]?.status, `The push refers to repository [${closed.domain}/mine/app]`);
  assert.equal(statuses(lines).filter((status) => status === 'Pushed').length, 4);
  const { digest, size } = { digest: digestOf(gzipped.manifest), size: gzipped.manifest.length };
  assert.deepEqual(lines.at(-2), { status: `2: digest: ${digest} size: ${size}` });
  assert.deepEqual(lines.at(-1), { aux: { Tag: '2', Digest: digest, Size: size } });
  const inspect = ['inspect', '--tls-verify=false', '--creds', 'ann:secret', `docker://${target}`];
  assert.equal(JSON.parse(execFileSync('skopeo', inspect, { encoding: 'utf8' })).Digest, digest);
  const again = await push(target, ann);
  assert.equal(statuses(again).filter((status) => status === 'Layer already exists').length, 4);
  const sibling = `${closed.domain}/other/app:1`;
  await store.tag(target, sibling);
  assert.ok(statuses(await push(sibling, ann)).includes('Mounted from mine/app'));
  await store.delete(target);
  await assert.rejects(pull(target), {
    kind: 'not-found',
    message: /may require 'docker login'/,
  });
  await pull(target, { credentials: ann });
  holdsLayers(target);
  await assert.rejects(push(`${closed.domain}/none:1`, ann), { kind: 'not-found' });
});

test('docker.io’s images come from a mirror, under their own names', async () => {
  publish(gzipped, 'library/mirrored:1');
  await store.close();
  store = await openImageStore({
    root: join(root, 'images'),
    registryMirrors: [`http://${open.domain}`],
  });
  const lines = await pull('mirrored:1');
  assert.equal(lines[0]?.status, 'Pulling from library/mirrored');
  assert.deepEqual(store.find('mirrored:1')?.tags, ['mirrored:1']);
});

test('a whole Debian, made by mmdebstrap', {
  skip: process.env.CORTEN_TEST_DEBIAN === undefined && 'slow: set CORTEN_TEST_DEBIAN=1',
}, async () => {
  const tar = join(root, 'debian.tar');
  execFileSync('mmdebstrap', ['-q', '--variant=minbase', 'trixie', tar]);
  const layer = readFileSync(tar);
  const image = imageOf([]);
  const config = JSON.parse(image.config.toString());
  config.rootfs.diff_ids = [digestOf(layer)];
  const bytes = Buffer.from(JSON.stringify(config));
  const manifest = JSON.parse(image.manifest.toString());
  Object.assign(manifest.config, { digest: digestOf(bytes), size: bytes.length });
  manifest.layers = [
    {
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: digestOf(layer),
      size: layer.length,
    },
  ];
  publish(
    {
      config: bytes,
      manifest: Buffer.from(JSON.stringify(manifest)),
      layers: [layer],
      diffIds: [],
    },
    'debian:13',
  );
  await pull(`${open.domain}/debian:13`);
  const lower = store.find(`${open.domain}/debian:13`)?.lowers.at(-1) ?? '';
  assert.match(
    execFileSync('chroot', [lower, '/bin/sh', '-c', 'cat /etc/debian_version; id -un'], {
      encoding: 'utf8',
    }),
    /^13.*\nroot\n$/,
  );
  assert.ok(existsSync(join(lower, 'usr/bin/apt')));
});
