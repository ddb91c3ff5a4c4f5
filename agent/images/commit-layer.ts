/** Creates an image from one more layer over a parent, or over none (commit, import, each step of a build). */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { notFound } from '../errors.ts';
import { spool } from './blobs.ts';
import { withName } from './catalog.ts';
import { type Descriptor, digestOf, type Manifest, mediaTypes } from './descriptor.ts';
import type { Image } from './images.ts';
import { fullTag, parseTagged } from './reference.ts';
import type { CommitRequest } from './store.ts';
import type { StoreParts } from './store-parts.ts';

/** The fastest level: layers are written often and sent seldom, and the default level of buildkit and podman is slow. */
const gzipLevel = 1;

/** Resolves with the image's ID. */
export async function commitLayer(parts: StoreParts, request: CommitRequest): Promise<string> {
  const name = request.name === undefined ? undefined : fullTag(parseTagged(request.name));
  const parent = request.parent === undefined ? undefined : parts.images.find(request.parent);
  if (request.parent !== undefined && parent === undefined)
    throw notFound(`No such image: ${request.parent}`);
  const temporary = await parts.blobs.temporaryDirectory();
  let release = () => {};
  try {
    const layer = await compress(request.layer, join(temporary.path, 'layer'));
    const document = documentFor(request, parent, layer.diffId, parts);
    const config = Buffer.from(JSON.stringify(document));
    const manifest = manifestFor(parent, layer, config);
    const manifestBytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...manifest }));
    release = parts.leases.hold([
      digestOf(manifestBytes),
      manifest.config.digest,
      ...manifest.layers.map(({ digest }) => digest),
      ...document.rootfs.diff_ids,
    ]);
    await parts.layers.unpack(layer.diffId, layer.path);
    await parts.blobs.adopt(layer.path, layer.digest);
    await parts.blobs.putDocument(config);
    await parts.blobs.putDocument(manifestBytes);
    await parts.pool.run({ kind: 'sync', path: parts.root });
    const descriptor: Descriptor = {
      mediaType: manifest.mediaType,
      digest: digestOf(manifestBytes),
      size: manifestBytes.length,
      platform: { os: document.os, architecture: document.architecture },
    };
    await parts.catalog.update((entries) =>
      withName(entries, descriptor, { now: new Date(), ...(name !== undefined && { name }) }),
    );
    return manifest.config.digest;
  } finally {
    release();
    request.layer.destroy();
    await temporary.remove();
  }
}

interface NewLayer {
  path: string;
  digest: string;
  sizeBytes: number;
  diffId: string;
}

async function compress(layer: Readable, path: string): Promise<NewLayer> {
  const plain = createHash('sha256');
  const hashed = async function* () {
    for await (const chunk of layer) {
      plain.update(chunk as Buffer);
      yield chunk as Buffer;
    }
  };
  // Unlike pipe(), compose() forwards errors in both directions.
  const gzip = Readable.from(hashed(), { objectMode: false }).compose(
    createGzip({ level: gzipLevel, chunkSize: 256 * 1024 }),
  );
  const { digest, sizeBytes } = await spool(gzip, path);
  return { path, digest, sizeBytes, diffId: `sha256:${plain.digest('hex')}` };
}

function documentFor(
  { config, history }: CommitRequest,
  parent: Image | undefined,
  diffId: string,
  parts: StoreParts,
) {
  const created = new Date().toISOString();
  const { os, architecture, variant } = parent?.document ?? parts.platform;
  return {
    created,
    ...(history.author && { author: history.author }),
    architecture,
    ...(variant !== undefined && { variant }),
    os,
    config,
    rootfs: { type: 'layers', diff_ids: [...(parent?.document.diffIds ?? []), diffId] },
    history: [
      ...(parent?.document.history ?? []),
      {
        created,
        created_by: history.createdBy,
        ...(history.author && { author: history.author }),
        ...(history.comment && { comment: history.comment }),
      },
    ],
  };
}

function manifestFor(parent: Image | undefined, layer: NewLayer, config: Buffer): Manifest {
  const below = (parent?.manifest.layers ?? []).map(({ mediaType, digest, size }) => ({
    // An OCI manifest lists OCI media types; the bytes of the layer are the same.
    mediaType: mediaType === mediaTypes.dockerLayerGzip ? mediaTypes.layerGzip : mediaType,
    digest,
    size,
  }));
  return {
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: digestOf(config), size: config.length },
    layers: [
      ...below,
      { mediaType: mediaTypes.layerGzip, digest: layer.digest, size: layer.sizeBytes },
    ],
  };
}
