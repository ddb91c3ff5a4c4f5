/** Removes an image: its catalog entries first, then content that nothing else uses. */
import { notFound } from '../errors.ts';
import { digestsOf, type Image } from './images.ts';
import type { StoreParts } from './store-parts.ts';

/**
 * A crash after the first step leaves orphans for the sweep, but never an image without its layers. Leased content
 * stays for the sweep as well.
 */
export async function removeImage(
  parts: StoreParts,
  id: string,
): Promise<{ deleted: string[]; reclaimedBytes: number }> {
  const image = parts.images.all().find((candidate) => candidate.id === id);
  if (image === undefined) throw notFound(`No such image: ${id}`);
  const manifests = new Set(image.entries.map(({ manifest }) => manifest.digest));
  const candidates = contentOf(parts, image);
  await parts.catalog.update((entries) =>
    entries.filter(({ manifest }) => !manifests.has(manifest.digest)),
  );
  for (const digest of manifests) parts.images.forget(digest);
  const used = parts.images.used();
  const orphans = [...candidates].filter(
    (digest) => !used.has(digest) && !parts.leases.has(digest),
  );
  let reclaimedBytes = 0;
  const deleted = [image.id];
  for (const digest of orphans) {
    if (parts.layers.has(digest)) {
      reclaimedBytes += parts.layers.sizeOf(digest);
      await parts.layers.remove(digest);
      deleted.push(digest);
    }
    if (parts.blobs.has(digest)) {
      reclaimedBytes += parts.blobs.sizeOf(digest);
      await parts.blobs.remove(digest);
    }
  }
  return { deleted, reclaimedBytes };
}

/** Content of all manifests of the image: the same layers may exist compressed and plain. */
function contentOf(parts: StoreParts, image: Image): Set<string> {
  const content = new Set<string>();
  for (const { manifest } of image.entries) {
    content.add(manifest.digest);
    const parsed = parts.images.parsed(manifest.digest);
    if (parsed !== undefined) for (const digest of digestsOf(parsed)) content.add(digest);
  }
  return content;
}
