/**
 * The archives of layers as blobs: files of the blob store for layers that came from elsewhere, and for layers that were
 * made here what their directories make when they are read.
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { notFound } from '../errors.ts';
import { verifiedArchive } from './archive-layer.ts';
import { type Compression, layerMediaType } from './compression.ts';
import { type Descriptor, mediaTypes } from './descriptor.ts';
import type { LayerBlob, WantedBlob } from './store.ts';
import type { StoreParts } from './store-parts.ts';

const readBytes = 256 * 1024;

/** Throws not-found for what is neither a blob nor a layer that was made here. */
export function readBlob({ blobs, layers }: StoreParts, digest: string): Readable {
  if (blobs.has(digest))
    return createReadStream(blobs.pathOf(digest), { highWaterMark: readBytes });
  if (layers.archiveBytes(digest) === undefined) throw notFound(`the blob ${digest} is missing`);
  return verifiedArchive(layers.pathOf(digest), digest);
}

/** Throws not-found as {@link readBlob} does. */
export function blobBytes({ blobs, layers }: StoreParts, digest: string): number {
  if (blobs.has(digest)) return blobs.sizeOf(digest);
  const bytes = layers.archiveBytes(digest);
  if (bytes === undefined) throw notFound(`the blob ${digest} is missing`);
  return bytes;
}

/** Whether it can be read without being a file. */
export const isMadeWhenRead = ({ blobs, layers }: StoreParts, digest: string): boolean =>
  !blobs.has(digest) && layers.archiveBytes(digest) !== undefined;

/** How a layer is sent: the blob that is here, or its plain archive. Undefined for a layer without either. */
export function layerDescriptor(parts: StoreParts, diffId: string): Descriptor | undefined {
  const stored = parts.images.layerBlob(diffId);
  if (stored !== undefined) return { ...stored, mediaType: ociLayerType(stored.mediaType) };
  // A copied layer's archive is a blob that no manifest describes yet.
  const size = parts.blobs.has(diffId)
    ? parts.blobs.sizeOf(diffId)
    : parts.layers.archiveBytes(diffId);
  if (size === undefined) return undefined;
  return { mediaType: mediaTypes.layer, digest: diffId, size };
}

/** The same bytes by the other specification's name: an OCI manifest lists OCI layers. */
const ociLayerTypes: Record<string, string> = {
  [mediaTypes.dockerLayer]: mediaTypes.layer,
  [mediaTypes.dockerLayerGzip]: mediaTypes.layerGzip,
};
const ociLayerType = (mediaType: string) => ociLayerTypes[mediaType] ?? mediaType;

/** Compresses a layer that was made here into a new file; the caller removes it, or makes it a blob. */
export async function compressLayer(
  { layers, pool }: StoreParts,
  diffId: string,
  output: { path: string; compression: Compression; level?: number },
  signal?: AbortSignal,
): Promise<Descriptor> {
  const directory = layers.pathOf(diffId);
  const made = await pool.run({ kind: 'archive', directory, output }, signal);
  if (made.diffId !== diffId)
    throw new Error(`the files of layer ${diffId} have changed on disk: they make ${made.diffId}`);
  return {
    mediaType: layerMediaType(output.compression),
    digest: made.digest,
    size: made.sizeBytes,
  };
}

/** See {@link BuildImages.layerBlob}. */
export async function layerBlob(
  parts: StoreParts,
  diffId: string,
  { compression = 'none', level, directory }: WantedBlob,
  signal?: AbortSignal,
): Promise<LayerBlob> {
  const descriptor = layerDescriptor(parts, diffId);
  if (descriptor === undefined) throw notFound(`the layer ${diffId} is not in the store`);
  const { digest } = descriptor;
  if (compression === 'none' || !isMadeWhenRead(parts, digest))
    return { descriptor, open: () => readBlob(parts, digest) };
  const path = join(directory, diffId.slice('sha256:'.length));
  const output = { path, compression, ...(level !== undefined && { level }) };
  return {
    descriptor: await compressLayer(parts, diffId, output, signal),
    open: () => createReadStream(path, { highWaterMark: readBytes }),
  };
}
