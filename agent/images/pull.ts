/** Pulls an image: the manifest, the configuration, the layers in parallel, and only then the name. */
import type { PullRequest } from '../contract/image.ts';
import { CortenError, invalid } from '../errors.ts';
import type { Catalog } from './catalog.ts';
import { withName } from './catalog.ts';
import { concurrencyLimit } from './concurrency-limit.ts';
import {
  type Descriptor,
  digestOf,
  type ImageDocument,
  type Manifest,
  maxDocumentBytes,
  type Platform,
  parseImageDocument,
  parseManifest,
} from './descriptor.ts';
import { diskFull, freeBytesOf } from './layer-limits.ts';
import { choosePlatform, parsePlatform } from './platform.ts';
import type { Report } from './progress.ts';
import { fetchLayer } from './pull-layer.ts';
import {
  familiarString,
  fullName,
  fullTag,
  parseReference,
  parseTagged,
  type Reference,
} from './reference.ts';
import { readBody } from './registry/http.ts';
import { Repository, type ServedManifest } from './registry/repository.ts';
import type { StoreParts } from './store-parts.ts';

/** Default of dockerd's `max-concurrent-downloads`. */
const parallelDownloads = 3;

/** A registry's image before its layers are fetched. */
export interface RemoteImage {
  /** Document that the tag names: an index or a manifest. */
  served: ServedManifest;
  manifest: Manifest;
  manifestBytes: Buffer;
  manifestDescriptor: Descriptor;
  config: Buffer;
  document: ImageDocument;
}

export async function pullImages(
  parts: StoreParts,
  request: PullRequest,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const reference = request.allTags
    ? parseReference(request.reference)
    : parseTagged(request.reference);
  const wanted = request.platform ? parsePlatform(request.platform) : parts.platform;
  const repository = await Repository.open(reference, parts.registry, request.credentials, signal);
  if (!request.allTags) {
    await pullImage(parts, repository, reference, wanted, report, signal);
    return;
  }
  const { tag: _, digest: __, ...name } = reference;
  for (const tag of await repository.tags(signal))
    await pullImage(parts, repository, { ...name, tag }, wanted, report, signal);
}

async function pullImage(
  parts: StoreParts,
  repository: Repository,
  reference: Reference,
  wanted: Platform,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const which = reference.digest ?? reference.tag ?? 'latest';
  const served = await repository.manifest(which, signal);
  report({ id: which, status: `Pulling from ${reference.path}` });
  const image = await resolveImage(repository, served, wanted, signal);
  const fresh = !isKnown(parts.catalog, reference, image);
  await fetchContent(parts, { repository, image, report, signal }, () =>
    nameImage(parts, reference, image),
  );
  report({ status: `Digest: ${served.digest}` });
  const words = fresh ? 'Downloaded newer image' : 'Image is up to date';
  report({ status: `Status: ${words} for ${familiarString(reference)}` });
}

/**
 * Fetches what is missing of an image and then calls `commit`, until which nothing of it can be removed or swept.
 */
export async function fetchContent(
  parts: StoreParts,
  {
    repository,
    image,
    report,
    signal,
  }: { repository: Repository; image: RemoteImage; report: Report; signal: AbortSignal },
  commit: () => Promise<void>,
): Promise<void> {
  const { layers } = image.manifest;
  const release = parts.leases.hold(contentOf(image));
  try {
    await fetchLayers(parts, repository, image, report, signal);
    await storeContent(parts, image);
    await commit();
  } catch (error) {
    // Fetched content stays for the next try, unless it does not match its digests.
    if (isLie(error)) await discardImage(parts, image);
    throw error;
  } finally {
    release();
    for (const { digest } of layers) {
      if (parts.leases.has(digest)) continue;
      parts.blobs.release(digest);
      parts.fetches.forget(digest);
    }
  }
}

/** Manifest, configuration, blobs and unpacked layers. */
export function contentOf({ manifest, manifestDescriptor, document }: RemoteImage): string[] {
  const documents = [manifestDescriptor, manifest.config];
  return [...[...documents, ...manifest.layers].map(({ digest }) => digest), ...document.diffIds];
}

/** Follows a tag to a manifest for one platform and its configuration. */
export async function resolveImage(
  repository: Repository,
  served: ServedManifest,
  wanted: Platform,
  signal: AbortSignal,
): Promise<RemoteImage> {
  let { bytes, mediaType } = served;
  let parsed = parseManifest(bytes, mediaType);
  // An index may refer to an index (OCI image-index.md), but never deeper than this in practice.
  for (let depth = 0; 'index' in parsed; depth++) {
    if (depth === 3) throw invalid('the image index is nested too deep');
    const chosen = choosePlatform(parsed.index, wanted);
    ({ bytes, mediaType } = await repository.manifest(chosen.digest, signal));
    if (bytes.length !== chosen.size)
      throw invalid(`manifest verification failed for digest ${chosen.digest}: wrong size`);
    parsed = parseManifest(bytes, mediaType ?? chosen.mediaType);
  }
  const { manifest } = parsed;
  const config = await fetchDocument(repository, manifest.config, signal);
  const document = parseImageDocument(config);
  checkImage(manifest, document);
  const { os, architecture, variant } = document;
  const platform = { os, architecture, ...(variant !== undefined && { variant }) };
  return {
    served,
    manifest,
    manifestBytes: bytes,
    manifestDescriptor: {
      mediaType: manifest.mediaType,
      digest: digestOf(bytes),
      size: bytes.length,
      platform,
    },
    config,
    document,
  };
}

async function fetchDocument(
  repository: Repository,
  { digest, size }: Descriptor,
  signal: AbortSignal,
): Promise<Buffer> {
  if (size > maxDocumentBytes)
    throw invalid(`the image configuration is absurd: it has ${size} bytes`);
  const bytes = await readBody(await repository.blob(digest, 0, signal), size);
  if (digestOf(bytes) !== digest)
    throw invalid(
      `image configuration verification failed for digest ${digest}: the registry served ${digestOf(bytes)}`,
    );
  return bytes;
}

/** Throws invalid unless the configuration is that of a Linux image with these layers. */
export function checkImage(manifest: Manifest, document: ImageDocument): void {
  if (document.os !== 'linux')
    throw invalid(
      `image operating system ${JSON.stringify(document.os)} cannot be used on this platform`,
    );
  if (manifest.layers.length !== document.diffIds.length)
    throw invalid(
      `the image is not valid: ${manifest.layers.length} layers, but ${document.diffIds.length} layer ids`,
    );
  const foreign = manifest.layers.find(({ mediaType }) =>
    /foreign|nondistributable.*foreign|encrypted/.test(mediaType),
  );
  if (foreign !== undefined)
    throw invalid(`the image has a layer of a kind that is not supported: ${foreign.mediaType}`);
}

async function fetchLayers(
  parts: StoreParts,
  repository: Repository,
  image: RemoteImage,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const layers = layersOf(image).filter(
    ({ blob }, index, all) =>
      // A layer that occurs twice, such as an empty one, is fetched once.
      all.findIndex((other) => other.blob.digest === blob.digest) === index,
  );
  const missing = layers.filter(({ blob }) => !parts.blobs.has(blob.digest));
  const neededBytes = missing.reduce((sum, { blob }) => sum + blob.size, 0);
  if (neededBytes > freeBytesOf(parts.root))
    throw diskFull(`an image of ${neededBytes} bytes`, parts.root);
  if (missing.length > 0) parts.pool.warm();
  // The first failure stops the other layers, so that no download continues without a client.
  const stop = new AbortController();
  const limit = concurrencyLimit(parallelDownloads);
  const either = AbortSignal.any([signal, stop.signal]);
  const results = await Promise.allSettled(
    layers.map(async (layer) => {
      try {
        await fetchLayer({ parts, repository, ...layer, limit, report, signal: either });
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    }),
  );
  signal.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

function layersOf({ manifest, document }: RemoteImage): { blob: Descriptor; diffId: string }[] {
  return manifest.layers.map((blob, index) => ({ blob, diffId: document.diffIds[index] ?? '' }));
}

async function storeContent({ blobs, pool, root }: StoreParts, image: RemoteImage): Promise<void> {
  const fetched = image.manifest.layers.filter(({ digest }) => !blobs.has(digest));
  for (const { digest } of fetched) if (!blobs.has(digest)) await blobs.commit(digest);
  await blobs.putDocument(image.config);
  await blobs.putDocument(image.manifestBytes);
  if (fetched.length > 0) await pool.run({ kind: 'sync', path: root });
}

/** Comes after everything is on disk: a crash in between leaves only orphans. */
async function nameImage(
  { catalog }: StoreParts,
  reference: Reference,
  image: RemoteImage,
): Promise<void> {
  const repoDigest = `${fullName(reference)}@${image.served.digest}`;
  const name = reference.digest === undefined ? fullTag(reference) : undefined;
  await catalog.update((entries) =>
    withName(entries, image.manifestDescriptor, {
      repoDigests: [repoDigest],
      now: new Date(),
      ...(name !== undefined && { name }),
    }),
  );
}

function isKnown(catalog: Catalog, reference: Reference, image: RemoteImage): boolean {
  const { digest } = image.manifestDescriptor;
  return catalog.entries.some((entry) =>
    entry.manifest.digest !== digest
      ? false
      : reference.digest === undefined
        ? entry.name === fullTag(reference)
        : entry.repoDigests.includes(`${fullName(reference)}@${reference.digest}`),
  );
}

const isLie = (error: unknown) => error instanceof CortenError && error.kind === 'invalid';

/** Removes content of an invalid image, except what a valid image uses. */
async function discardImage(parts: StoreParts, image: RemoteImage): Promise<void> {
  const used = parts.images.used();
  for (const { blob, diffId } of layersOf(image)) {
    if (!parts.blobs.has(blob.digest) && !parts.leases.sharedBy(blob.digest))
      await parts.blobs.discardIngest(blob.digest);
    if (!used.has(diffId) && !parts.leases.sharedBy(diffId)) await parts.layers.remove(diffId);
  }
}
