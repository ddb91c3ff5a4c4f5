/**
 * Images that were built here. A layer's directory is taken over as it is and its archive is not written: what a build
 * makes is used on the same machine mostly, and a push or an export makes the archive from the directory.
 */
import { invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { withName } from './catalog.ts';
import { type Descriptor, digestOf, mediaTypes, type Platform } from './descriptor.ts';
import { layerDescriptor } from './layer-blobs.ts';
import { fullTag, parseTagged } from './reference.ts';
import type { AddedImage, AddedLayer, ImageAddition, LayerAddition } from './store.ts';
import type { StoreParts } from './store-parts.ts';

export async function addLayer(
  parts: StoreParts,
  { directory, latestNanos, signal }: LayerAddition,
): Promise<AddedLayer> {
  if (latestNanos !== undefined) return addRewritten(parts, { directory, latestNanos, signal });
  const archived = await parts.pool.run({ kind: 'archive', directory }, signal);
  const { diffId } = archived;
  const release = parts.leases.hold([diffId]);
  try {
    await parts.layers.adopt(archived, directory);
    return { diffId, directory: parts.layers.pathOf(diffId), release };
  } catch (error) {
    release();
    // Another file system, or another quota's files: the layer is copied, by way of its archive.
    if (hasErrno(error, 'EXDEV')) return addRewritten(parts, { directory, signal });
    throw error;
  }
}

/** The layer becomes another directory, with times that the given one does not have. */
async function addRewritten(
  parts: StoreParts,
  { directory, latestNanos, signal }: LayerAddition,
): Promise<AddedLayer> {
  const temporary = await parts.blobs.temporaryDirectory();
  let release = () => {};
  try {
    const output = { path: `${temporary.path}/layer`, compression: 'none' as const };
    const { diffId } = await parts.pool.run(
      {
        kind: 'archive',
        directory,
        output,
        ...(latestNanos !== undefined && { latestNanos }),
      },
      signal,
    );
    release = parts.leases.hold([diffId]);
    await parts.layers.unpack(diffId, output.path, signal);
    await parts.blobs.adopt(output.path, diffId);
    return { diffId, directory: parts.layers.pathOf(diffId), release };
  } catch (error) {
    release();
    throw error;
  } finally {
    await temporary.remove();
  }
}

/** First everything on disk, then the names: a crash in between leaves only orphans. */
export async function addImage(parts: StoreParts, addition: ImageAddition): Promise<AddedImage> {
  const names = addition.names.map((name) => fullTag(parseTagged(name)));
  const manifest = manifestOf(parts, addition);
  const release = parts.leases.hold([
    digestOf(addition.config),
    manifest.descriptor.digest,
    ...addition.diffIds,
    ...manifest.layers.map(({ digest }) => digest),
  ]);
  try {
    await parts.blobs.putDocument(addition.config);
    await parts.blobs.putDocument(manifest.bytes);
    await parts.pool.run({ kind: 'sync', path: parts.root });
    await parts.catalog.update((entries) =>
      (names.length === 0 ? [undefined] : names).reduce(
        (all, name) =>
          withName(all, manifest.descriptor, {
            now: new Date(),
            ...(name !== undefined && { name }),
          }),
        [...entries],
      ),
    );
    return { id: digestOf(addition.config), manifest: manifest.descriptor };
  } finally {
    release();
  }
}

function manifestOf(parts: StoreParts, addition: ImageAddition) {
  const { config, diffIds, annotations, platform } = addition;
  const layers = diffIds.map((diffId) => {
    const descriptor = layerDescriptor(parts, diffId);
    if (descriptor === undefined) throw invalid(`the layer ${diffId} is not in the store`);
    return descriptor;
  });
  return manifestDocument({ config, layers, annotations, platform });
}

/** An OCI image manifest. */
export function manifestDocument({
  config,
  layers,
  annotations = {},
  platform,
}: {
  config: Buffer;
  layers: Descriptor[];
  annotations?: Readonly<Record<string, string>>;
  platform: Platform;
}): { bytes: Buffer; descriptor: Descriptor; layers: Descriptor[] } {
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, digest: digestOf(config), size: config.length },
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    }),
  );
  return {
    bytes,
    layers,
    descriptor: {
      mediaType: mediaTypes.manifest,
      digest: digestOf(bytes),
      size: bytes.length,
      platform,
    },
  };
}
