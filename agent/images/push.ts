/** Pushes an image: each blob that the registry lacks, then the manifest (OCI distribution-spec, "Push"). */
import { createReadStream } from 'node:fs';
import { Transform } from 'node:stream';
import type { PushRequest } from '../contract/image.ts';
import { CortenError, notFound } from '../errors.ts';
import { concurrencyLimit } from './concurrency-limit.ts';
import type { Descriptor } from './descriptor.ts';
import { digestsOf, type Image, type ParsedImage } from './images.ts';
import { type Report, throttled } from './progress.ts';
import { publishable } from './publishable.ts';
import { shortId } from './pull-layer.ts';
import { familiar, fullName, fullTag, parseReference, type Reference } from './reference.ts';
import { problemOf, refused } from './registry/errors.ts';
import { discard, type HttpResponse, readBody } from './registry/http.ts';
import { Repository } from './registry/repository.ts';
import type { RegistrySession } from './registry/session.ts';
import type { StoreParts } from './store-parts.ts';

/** Default of dockerd's `max-concurrent-uploads`. */
const parallelUploads = 5;

interface Upload {
  parts: StoreParts;
  session: RegistrySession;
  reference: Reference;
  scope: string;
  /** Repositories of the same registry that have this image's blobs already. */
  siblings: string[];
  report: Report;
  signal: AbortSignal;
}

export async function pushImages(
  parts: StoreParts,
  request: PushRequest,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const given = parseReference(request.reference);
  const references = given.tag === undefined ? tagsOfRepository(parts, given) : [given];
  if (references.length === 0)
    throw notFound(`An image does not exist locally with the tag: ${familiar(fullName(given))}`);
  const own = { ...parts.registry, registryMirrors: [] };
  const repository = await Repository.open(given, own, request.credentials, signal);
  report({ status: `The push refers to repository [${fullName(given)}]` });
  for (const reference of references) {
    const found = parts.images.find(fullTag(reference));
    if (found === undefined)
      throw notFound(
        `An image does not exist locally with the tag: ${familiar(fullTag(reference))}`,
      );
    const descriptor = await publishable(parts, manifestFor(found, reference), signal);
    const image = parts.images.parsed(descriptor.digest) ?? found;
    const upload: Upload = {
      parts,
      session: repository.origin,
      reference,
      scope: `repository:${reference.path}:pull,push`,
      siblings: siblingsOf(found, reference),
      report,
      signal,
    };
    await pushImage(upload, image, descriptor);
  }
}

/** Without a tag, all tags of the repository are pushed: the CLI adds `latest` unless --all-tags is given. */
function tagsOfRepository(parts: StoreParts, { domain, path }: Reference): Reference[] {
  return parts.catalog.entries
    .flatMap(({ name }) => (name === undefined ? [] : [parseReference(name)]))
    .filter((reference) => reference.domain === domain && reference.path === path);
}

async function pushImage(
  upload: Upload,
  image: ParsedImage,
  descriptor: Descriptor,
): Promise<void> {
  const { parts, reference, report } = upload;
  const platforms = image.platforms ?? [];
  const images = image.platforms ?? [image];
  const layers = images.flatMap(({ manifest }) => manifest.layers);
  const release = parts.leases.hold([descriptor.digest, ...digestsOf(image)]);
  try {
    const limit = concurrencyLimit(parallelUploads);
    const unique = layers.filter(
      ({ digest }, index) => layers.findIndex((other) => other.digest === digest) === index,
    );
    for (const { digest } of unique) report({ id: shortId(digest), status: 'Preparing' });
    const results = await Promise.allSettled(
      unique.map((layer) => limit(() => pushLayer(upload, layer))),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    for (const { manifest } of images) await pushBlob(upload, manifest.config, () => {});
    // The registry refuses a list whose manifests it does not have.
    for (const each of platforms)
      await putManifest(upload, each.descriptor, each.descriptor.digest);
    await putManifest(upload, descriptor, reference.tag ?? 'latest');
  } finally {
    release();
  }
  const repoDigest = `${fullName(reference)}@${descriptor.digest}`;
  await parts.catalog.update((entries) =>
    entries.map((entry) =>
      entry.manifest.digest === descriptor.digest && !entry.repoDigests.includes(repoDigest)
        ? { ...entry, repoDigests: [...entry.repoDigests, repoDigest] }
        : entry,
    ),
  );
  report({ status: `${reference.tag}: digest: ${descriptor.digest} size: ${descriptor.size}` });
  report({ aux: { Tag: reference.tag, Digest: descriptor.digest, Size: descriptor.size } });
}

/** Manifest of the tag; an image may have several manifests. */
function manifestFor(image: Image, reference: Reference): Descriptor {
  const entry = image.entries.find(({ name }) => name === fullTag(reference)) ?? image.entries[0];
  if (entry === undefined) throw notFound(`No such image: ${fullTag(reference)}`);
  return entry.manifest;
}

async function pushLayer(upload: Upload, layer: Descriptor): Promise<void> {
  const id = shortId(layer.digest);
  const pushing = throttled(upload.report);
  const outcome = await pushBlob(upload, layer, (bytes) =>
    pushing({ id, status: 'Pushing', currentBytes: bytes, totalBytes: layer.size }),
  );
  upload.report({ id, status: outcome });
}

async function pushBlob(
  upload: Upload,
  blob: Descriptor,
  progress: (bytes: number) => void,
): Promise<string> {
  const { session, reference, scope, signal, siblings } = upload;
  const base = `${reference.path}/blobs`;
  const known = await session.send({
    method: 'HEAD',
    path: `${base}/${blob.digest}`,
    scope,
    signal,
  });
  discard(known);
  if (known.status === 200) return 'Layer already exists';
  const [sibling] = siblings;
  const mount =
    sibling === undefined
      ? ''
      : `?mount=${encodeURIComponent(blob.digest)}&from=${encodeURIComponent(sibling)}`;
  const started = await session.send({
    method: 'POST',
    path: `${base}/uploads/${mount}`,
    scope,
    signal,
  });
  if (started.status === 201) {
    discard(started);
    return `Mounted from ${sibling}`;
  }
  const location = started.headers.location;
  if (started.status !== 202 || location === undefined) throw await refusedPush(upload, started);
  discard(started);
  const url = new URL(location, session.endpoint.base);
  url.searchParams.set('digest', blob.digest);
  const finished = await session.send({
    method: 'PUT',
    path: url,
    headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': String(blob.size) },
    body: () => counted(upload.parts.blobs.pathOf(blob.digest), progress),
    scope,
    signal,
  });
  if (finished.status !== 201 && finished.status !== 204) throw await refusedPush(upload, finished);
  discard(finished);
  return 'Pushed';
}

async function putManifest(upload: Upload, descriptor: Descriptor, name: string): Promise<void> {
  const { parts, session, reference, scope, signal } = upload;
  const bytes = parts.blobs.readDocument(descriptor.digest);
  const answer = await session.send({
    method: 'PUT',
    path: `${reference.path}/manifests/${name}`,
    headers: { 'Content-Type': descriptor.mediaType, 'Content-Length': String(bytes.length) },
    body: () => bytes,
    scope,
    signal,
  });
  if (answer.status !== 201) throw await refusedPush(upload, answer);
  discard(answer);
}

async function refusedPush({ reference }: Upload, response: HttpResponse): Promise<CortenError> {
  const problem = problemOf(await readBody(response, 64 * 1024), response.status);
  if (response.status === 401 || response.status === 403)
    return new CortenError(
      response.status === 401 ? 'unauthorized' : 'forbidden',
      `push access denied for ${familiar(fullName(reference))}: ${problem.message}; log in with an account that may push there`,
    );
  return refused(response.status, problem, fullName(reference), reference.tag ?? '');
}

function counted(path: string, progress: (bytes: number) => void): Transform {
  let bytes = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      progress(bytes);
      done(null, chunk);
    },
  });
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  file.on('error', (error) => counter.destroy(error));
  counter.on('close', () => file.destroy());
  return file.pipe(counter);
}

function siblingsOf(image: Image, reference: Reference): string[] {
  const names = image.entries.flatMap(({ repoDigests }) =>
    repoDigests.map((text) => parseReference(text)),
  );
  return names
    .filter(({ domain, path }) => domain === reference.domain && path !== reference.path)
    .map(({ path }) => path);
}
