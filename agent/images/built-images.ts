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

export async function addLayer(parts: StoreParts, addition: LayerAddition): Promise<AddedLayer> {
  const { directory, signal } = addition;
  if (addition.isCopied || addition.latestNanos !== undefined) return addCopy(parts, addition);
  const archived = await parts.pool.run({ kind: 'archive', directory }, signal);
  const { diffId } = archived;
  const release = parts.leases.hold([diffId]);
  try {
    await parts.layers.adopt(archived, directory);
    return { diffId, directory: parts.layers.pathOf(diffId), release };
  } catch (error) {
    release();
    // Another file system, or another quota's files: the layer is copied, by way of its archive.
    if (hasErrno(error, 'EXDEV')) return addCopy(parts, addition);
    throw error;
  }
}

async function addCopy(
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
  const manifests = addition.images.map(({ config, diffIds, ...image }) =>
    manifestDocument({ ...image, config, layers: describedLayers(parts, diffIds) }),
  );
  const [first] = manifests;
  if (first === undefined) throw invalid('an image list without an image');
  const top =
    addition.index === undefined
      ? first
      : indexDocument(
          manifests.map(({ descriptor }) => descriptor),
          addition.index,
        );
  const documents = [
    ...addition.images.map(({ config }) => config),
    ...manifests.map(({ bytes }) => bytes),
    top.bytes,
  ];
  const release = parts.leases.hold([
    ...documents.map(digestOf),
    ...addition.images.flatMap(({ diffIds }) => diffIds),
    ...manifests.flatMap(({ layers }) => layers.map(({ digest }) => digest)),
  ]);
  try {
    for (const bytes of documents) await parts.blobs.putDocument(bytes);
    await parts.pool.run({ kind: 'sync', path: parts.root });
    await parts.catalog.update((entries) =>
      (names.length === 0 ? [undefined] : names).reduce(
        (all, name) =>
          withName(all, top.descriptor, {
            now: new Date(),
            ...(name !== undefined && { name }),
          }),
        [...entries],
      ),
    );
    const added = parts.images.parsed(top.descriptor.digest);
    if (added === undefined) throw invalid('the image that was built is not valid');
    return { id: added.manifest.config.digest, descriptor: top.descriptor };
  } finally {
    release();
  }
}

function describedLayers(parts: StoreParts, diffIds: readonly string[]): Descriptor[] {
  return diffIds.map((diffId) => {
    const descriptor = layerDescriptor(parts, diffId);
    if (descriptor === undefined) throw invalid(`the layer ${diffId} is not in the store`);
    return descriptor;
  });
}

interface ManifestParts {
  config: Buffer;
  layers: Descriptor[];
  platform: Platform;
  annotations?: Readonly<Record<string, string>>;
  /** Media types of Docker's own formats instead of the OCI's. */
  isDocker?: boolean;
}

/** An image manifest (OCI manifest.md). */
export function manifestDocument({
  config,
  layers,
  platform,
  annotations = {},
  isDocker = false,
}: ManifestParts): { bytes: Buffer; descriptor: Descriptor; layers: Descriptor[] } {
  const mediaType = isDocker ? mediaTypes.dockerManifest : mediaTypes.manifest;
  const configType = isDocker ? mediaTypes.dockerConfig : mediaTypes.config;
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: configType, digest: digestOf(config), size: config.length },
      layers: layers.map(({ mediaType: type, digest, size }) => ({
        mediaType: isDocker ? (dockerLayerTypes[type] ?? type) : type,
        digest,
        size,
      })),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    }),
  );
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length, platform };
  return { bytes, layers, descriptor };
}

const dockerLayerTypes: Record<string, string> = {
  [mediaTypes.layer]: mediaTypes.dockerLayer,
  [mediaTypes.layerGzip]: mediaTypes.dockerLayerGzip,
};

/** An image index (OCI image-index.md). */
export function indexDocument(
  manifests: readonly Descriptor[],
  {
    annotations = {},
    isDocker = false,
  }: { annotations?: Readonly<Record<string, string>>; isDocker?: boolean },
): { bytes: Buffer; descriptor: Descriptor } {
  const mediaType = isDocker ? mediaTypes.dockerIndex : mediaTypes.index;
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      manifests,
      ...(Object.keys(annotations).length > 0 && { annotations }),
    }),
  );
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}
