/**
 * What an image that was built here needs before it can be pushed: registries keep layers compressed. The image gets a
 * manifest with the compressed layers in the place of the one with the plain ones; its id is that of its configuration
 * and stays.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestDocument } from './built-images.ts';
import type { Descriptor } from './descriptor.ts';
import type { Image } from './images.ts';
import { compressLayer, isMadeWhenRead } from './layer-blobs.ts';
import type { StoreParts } from './store-parts.ts';

export async function publishable(
  parts: StoreParts,
  image: Image,
  signal: AbortSignal,
): Promise<Image> {
  const { manifest, document, entries } = image;
  if (!manifest.layers.some(({ digest }) => isMadeWhenRead(parts, digest))) return image;
  const temporary = await parts.blobs.temporaryDirectory();
  const release = parts.leases.hold(document.diffIds);
  let releaseNew = () => {};
  try {
    const layers = await Promise.all(
      manifest.layers.map((layer, index) =>
        compressed(parts, layer, index, temporary.path, signal),
      ),
    );
    const config = parts.blobs.readDocument(manifest.config.digest);
    const { os, architecture, variant } = document;
    const next = manifestDocument({
      config,
      layers,
      annotations: manifest.annotations,
      platform: { os, architecture, ...(variant !== undefined && { variant }) },
    });
    releaseNew = parts.leases.hold([next.descriptor.digest, ...layers.map(({ digest }) => digest)]);
    for (const [index, { digest }] of layers.entries())
      if (digest !== manifest.layers[index]?.digest)
        await parts.blobs.adopt(join(temporary.path, String(index)), digest);
    await parts.blobs.putDocument(next.bytes);
    await parts.pool.run({ kind: 'sync', path: parts.root });
    const replaced = new Set(entries.map((entry) => entry.manifest.digest));
    await parts.catalog.update((all) =>
      all.map((entry) =>
        replaced.has(entry.manifest.digest) ? { ...entry, manifest: next.descriptor } : entry,
      ),
    );
    await forgetManifests(parts, replaced);
    return parts.images.find(image.id) ?? image;
  } finally {
    release();
    releaseNew();
    await temporary.remove();
  }
}

async function compressed(
  parts: StoreParts,
  layer: Descriptor,
  index: number,
  directory: string,
  signal: AbortSignal,
): Promise<Descriptor> {
  if (!isMadeWhenRead(parts, layer.digest)) return layer;
  const path = join(directory, String(index));
  const made = await compressLayer(parts, layer.digest, { path, compression: 'gzip' }, signal);
  // The same layer was compressed for another image before.
  if (parts.blobs.has(made.digest)) await rm(path);
  return made;
}

async function forgetManifests(
  { images, blobs, leases }: StoreParts,
  digests: ReadonlySet<string>,
): Promise<void> {
  const used = images.used();
  for (const digest of digests) {
    if (used.has(digest) || leases.has(digest)) continue;
    images.forget(digest);
    await blobs.remove(digest);
  }
}
