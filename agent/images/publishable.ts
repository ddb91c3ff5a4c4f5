/**
 * What an image that was built here needs before it can be pushed: registries keep layers compressed. The image gets a
 * manifest with the compressed layers in the place of the one with the plain ones; its id is that of its configuration
 * and stays.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { indexDocument, manifestDocument } from './built-images.ts';
import { type Descriptor, isObject, parseObject } from './descriptor.ts';
import type { PlatformImage } from './images.ts';
import { compressLayer, isMadeWhenRead } from './layer-blobs.ts';
import type { StoreParts } from './store-parts.ts';

interface NewManifest {
  bytes: Buffer;
  descriptor: Descriptor;
}

/** The descriptor to push: `top` itself when there is nothing to compress. */
export async function publishable(
  parts: StoreParts,
  top: Descriptor,
  signal: AbortSignal,
): Promise<Descriptor> {
  const parsed = parts.images.parsed(top.digest);
  const images = parsed?.platforms ?? (parsed ? [{ ...parsed, descriptor: top }] : []);
  const layers = images.flatMap(({ manifest }) => manifest.layers);
  if (!layers.some(({ digest }) => isMadeWhenRead(parts, digest))) return top;
  const release = parts.leases.hold(images.flatMap(({ document }) => document.diffIds));
  const releases = [release];
  try {
    const made: NewManifest[] = [];
    for (const image of images) made.push(await compressedImage(parts, image, releases, signal));
    const [first] = made;
    if (first === undefined) return top;
    const next = parsed?.platforms === undefined ? first : newIndex(parts, top, made);
    releases.push(parts.leases.hold([next.descriptor.digest]));
    for (const { bytes } of [...made, next]) await parts.blobs.putDocument(bytes);
    await parts.pool.run({ kind: 'sync', path: parts.root });
    await parts.catalog.update((entries) =>
      entries.map((entry) =>
        entry.manifest.digest === top.digest ? { ...entry, manifest: next.descriptor } : entry,
      ),
    );
    await forget(parts, [top, ...images.map(({ descriptor }) => descriptor)]);
    return next.descriptor;
  } finally {
    for (const end of releases) end();
  }
}

async function compressedImage(
  parts: StoreParts,
  { manifest, document, descriptor }: PlatformImage,
  releases: (() => void)[],
  signal: AbortSignal,
): Promise<NewManifest> {
  const temporary = await parts.blobs.temporaryDirectory();
  try {
    const layers = await Promise.all(
      manifest.layers.map((layer, index) =>
        compressed(parts, layer, join(temporary.path, String(index)), signal),
      ),
    );
    const { os, architecture, variant } = document;
    const next = manifestDocument({
      config: parts.blobs.readDocument(manifest.config.digest),
      layers,
      platform: { os, architecture, ...(variant !== undefined && { variant }) },
      ...(manifest.annotations && { annotations: manifest.annotations }),
    });
    releases.push(
      parts.leases.hold([next.descriptor.digest, ...layers.map(({ digest }) => digest)]),
    );
    for (const [index, { digest }] of layers.entries())
      if (digest !== manifest.layers[index]?.digest)
        await parts.blobs.adopt(join(temporary.path, String(index)), digest);
    const { annotations } = descriptor;
    return {
      bytes: next.bytes,
      descriptor: { ...next.descriptor, ...(annotations && { annotations }) },
    };
  } finally {
    await temporary.remove();
  }
}

async function compressed(
  parts: StoreParts,
  layer: Descriptor,
  path: string,
  signal: AbortSignal,
): Promise<Descriptor> {
  if (!isMadeWhenRead(parts, layer.digest)) return layer;
  const made = await compressLayer(parts, layer.digest, { path, compression: 'gzip' }, signal);
  // The same layer was compressed for another image before.
  if (parts.blobs.has(made.digest)) await rm(path);
  return made;
}

function newIndex({ blobs }: StoreParts, top: Descriptor, made: readonly NewManifest[]) {
  const { annotations } = parseObject(blobs.readDocument(top.digest), 'image index');
  return indexDocument(
    made.map(({ descriptor }) => descriptor),
    isObject(annotations) ? { annotations: annotations as Record<string, string> } : {},
  );
}

async function forget(
  { images, blobs, leases }: StoreParts,
  manifests: readonly Descriptor[],
): Promise<void> {
  const used = images.used();
  for (const { digest } of manifests) {
    if (used.has(digest) || leases.has(digest)) continue;
    images.forget(digest);
    await blobs.remove(digest);
  }
}
