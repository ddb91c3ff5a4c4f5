/**
 * Loads images from an archive: docker-archive (`manifest.json`; moby, image/tarexport), OCI layout (`index.json`),
 * or both at once, as newer versions of docker write. An image appears only when every digest is verified and every
 * layer unpacked.
 */
import type { Readable } from 'node:stream';
import { invalid } from '../errors.ts';
import { type ArchiveFile, type ArchiveFiles, readArchive } from './archive-files.ts';
import { withName } from './catalog.ts';
import { compressionOf, layerMediaType } from './compression.ts';
import {
  type Descriptor,
  type ImageDocument,
  isObject,
  type Manifest,
  maxDocumentBytes,
  mediaTypes,
  parseDescriptor,
  parseImageDocument,
  parseManifest,
  parseObject,
} from './descriptor.ts';
import { headOf } from './file-head.ts';
import { choosePlatform, platformText } from './platform.ts';
import { type Report, throttled } from './progress.ts';
import { checkImage } from './pull.ts';
import { shortId } from './pull-layer.ts';
import { familiar, fullTag, parseReference } from './reference.ts';
import type { StoreParts } from './store-parts.ts';

/** An image of the archive, whose content is still in the spool directory. */
interface Candidate {
  manifestBytes: Buffer;
  manifest: Manifest;
  document: ImageDocument;
  config: Buffer;
  layers: ArchiveFile[];
  /** Full names with tags (`docker.io/library/alpine:latest`). */
  names: Set<string>;
}

export async function loadImages(
  parts: StoreParts,
  archive: Readable,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const spool = await parts.blobs.temporaryDirectory();
  try {
    const files = await readArchive(archive, spool.path, signal);
    const candidates = candidatesIn(parts, files);
    if (candidates.length === 0)
      throw invalid(
        'invalid archive: it holds neither a manifest.json nor an index.json of an image',
      );
    for (const candidate of candidates) await loadImage(parts, candidate, report, signal);
  } finally {
    archive.destroy();
    await spool.remove();
  }
}

function candidatesIn(parts: StoreParts, files: ArchiveFiles): Candidate[] {
  const candidates = ociCandidates(parts, files);
  const listed = files.document('manifest.json', maxDocumentBytes);
  if (listed === undefined) return candidates;
  const items: unknown = JSON.parse(listed.toString('utf8'));
  if (!Array.isArray(items)) throw invalid('invalid archive: its manifest.json is not a list');
  for (const item of items.filter(isObject)) {
    const docker = dockerCandidate(files, item);
    const same = candidates.find(
      ({ manifest }) => manifest.config.digest === docker.manifest.config.digest,
    );
    if (same === undefined) candidates.push(docker);
    else for (const name of docker.names) same.names.add(name);
  }
  return candidates;
}

/** Images of `index.json`; of a multi-platform image only this machine's. */
function ociCandidates(parts: StoreParts, files: ArchiveFiles): Candidate[] {
  const bytes = files.document('index.json', maxDocumentBytes);
  if (bytes === undefined) return [];
  const { manifests } = parseObject(bytes, "archive's index.json");
  if (!Array.isArray(manifests))
    throw invalid('invalid archive: its index.json lists no manifests');
  return manifests.map((item) => ociCandidate(parts, files, parseDescriptor(item)));
}

function ociCandidate(parts: StoreParts, files: ArchiveFiles, top: Descriptor): Candidate {
  let descriptor = top;
  let bytes = documentOf(files, descriptor);
  let parsed = parseManifest(bytes, descriptor.mediaType);
  for (let depth = 0; 'index' in parsed; depth++) {
    if (depth === 3) throw invalid('the image index is nested too deep');
    const present = parsed.index.filter(({ digest }) => files.byDigest(digest) !== undefined);
    if (present.length === 0)
      throw invalid(`invalid archive: no image for ${platformText(parts.platform)} in it`);
    descriptor =
      present.length === 1 && present[0] !== undefined
        ? present[0]
        : choosePlatform(present, parts.platform);
    bytes = documentOf(files, descriptor);
    parsed = parseManifest(bytes, descriptor.mediaType);
  }
  const { manifest } = parsed;
  const config = documentOf(files, manifest.config);
  const document = parseImageDocument(config);
  const layers = manifest.layers.map((layer) => contentOf(files, layer));
  return { manifestBytes: bytes, manifest, document, config, layers, names: namesOf(top) };
}

/**
 * Names of a descriptor: `io.containerd.image.name` is a full name, while the specification's own annotation may be
 * only a tag.
 */
function namesOf({ annotations = {} }: Descriptor): Set<string> {
  const whole = annotations['io.containerd.image.name'];
  const plain = annotations['org.opencontainers.image.ref.name'];
  const text = whole ?? (plain !== undefined && /[/:]/.test(plain) ? plain : undefined);
  return new Set(text === undefined ? [] : [tagged(text)]);
}

function tagged(text: string): string {
  const reference = parseReference(text);
  return fullTag({ ...reference, tag: reference.tag ?? 'latest' });
}

/** An item of `manifest.json`, for which an OCI manifest over the same layers is created. */
function dockerCandidate(files: ArchiveFiles, item: Record<string, unknown>): Candidate {
  const configName = typeof item.Config === 'string' ? item.Config : '';
  const layerNames = Array.isArray(item.Layers) ? item.Layers.map(String) : [];
  const config = files.document(configName, maxDocumentBytes);
  const configFile = files.find(configName);
  if (config === undefined || configFile === undefined)
    throw invalid(`invalid archive: the configuration ${JSON.stringify(configName)} is missing`);
  // The file's name contains the digest, so that an exchanged configuration is noticed.
  const promised = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(configName)?.[1];
  if (promised !== undefined && configFile.digest !== `sha256:${promised}`)
    throw invalid(
      `invalid archive: the configuration ${configName} has the content of ${configFile.digest}`,
    );
  const layers = layerNames.map((name) => {
    const file = files.find(name);
    if (file === undefined)
      throw invalid(`invalid archive: the layer ${JSON.stringify(name)} is missing`);
    return file;
  });
  const manifest: Manifest = {
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: configFile.digest, size: config.length },
    layers: layers.map(({ path, digest, sizeBytes }) => ({
      mediaType: layerMediaType(compressionOf(headOf(path))),
      digest,
      size: sizeBytes,
    })),
  };
  const names = Array.isArray(item.RepoTags)
    ? item.RepoTags.map((name) => tagged(String(name)))
    : [];
  return {
    manifestBytes: Buffer.from(JSON.stringify({ schemaVersion: 2, ...manifest })),
    manifest,
    document: parseImageDocument(config),
    config,
    layers,
    names: new Set(names),
  };
}

function contentOf(files: ArchiveFiles, { digest, size }: Descriptor): ArchiveFile {
  const hex = digest.slice('sha256:'.length);
  const file = files.find(`blobs/sha256/${hex}`);
  if (file === undefined) throw invalid(`invalid archive: the blob ${digest} is missing`);
  if (file.digest !== digest || file.sizeBytes !== size)
    throw invalid(
      `invalid archive: the blob ${digest} has the content of ${file.digest} and ${file.sizeBytes} bytes`,
    );
  return file;
}

function documentOf(files: ArchiveFiles, descriptor: Descriptor): Buffer {
  const file = contentOf(files, descriptor);
  const hex = file.digest.slice('sha256:'.length);
  const bytes = files.document(`blobs/sha256/${hex}`, maxDocumentBytes);
  if (bytes === undefined) throw invalid(`invalid archive: the blob ${file.digest} is missing`);
  return bytes;
}

async function loadImage(
  parts: StoreParts,
  candidate: Candidate,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { manifest, document } = candidate;
  checkImage(manifest, document);
  const layerDigests = manifest.layers.map(({ digest }) => digest);
  const release = parts.leases.hold([manifest.config.digest, ...layerDigests, ...document.diffIds]);
  const before = new Set(document.diffIds.filter((id) => parts.layers.has(id)));
  try {
    await unpackAll(parts, candidate, report, signal);
    await commit(parts, candidate);
  } catch (error) {
    for (const id of document.diffIds)
      if (!before.has(id) && !parts.leases.sharedBy(id)) await parts.layers.remove(id);
    throw error;
  } finally {
    release();
  }
  for (const name of candidate.names) report({ stream: `Loaded image: ${familiar(name)}\n` });
  if (candidate.names.size === 0)
    report({ stream: `Loaded image ID: ${manifest.config.digest}\n` });
}

async function unpackAll(
  parts: StoreParts,
  { layers, document }: Candidate,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const results = await Promise.allSettled(
    layers.map(({ path, sizeBytes }, index) => {
      const diffId = document.diffIds[index] ?? '';
      const loading = throttled(report);
      return parts.layers.unpack(diffId, path, signal, (bytes) =>
        loading({
          id: shortId(diffId),
          status: 'Loading layer',
          currentBytes: bytes,
          totalBytes: sizeBytes,
        }),
      );
    }),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function commit(parts: StoreParts, candidate: Candidate): Promise<void> {
  const { blobs, catalog, pool, root } = parts;
  for (const { path, digest } of candidate.layers) await blobs.adopt(path, digest);
  await blobs.putDocument(candidate.config);
  const digest = await blobs.putDocument(candidate.manifestBytes);
  await pool.run({ kind: 'sync', path: root });
  const { architecture, os, variant } = candidate.document;
  const descriptor: Descriptor = {
    mediaType: candidate.manifest.mediaType,
    digest,
    size: candidate.manifestBytes.length,
    platform: { architecture, os, ...(variant !== undefined && { variant }) },
  };
  const now = new Date();
  const names = candidate.names.size === 0 ? [undefined] : [...candidate.names];
  await catalog.update((entries) =>
    names.reduce<ReturnType<typeof withName>>(
      (all, name) => withName(all, descriptor, { now, ...(name !== undefined && { name }) }),
      [...entries],
    ),
  );
}
