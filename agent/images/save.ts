/**
 * Writes images as one archive that `docker load`, skopeo and OCI tools read: an OCI layout with Docker's
 * `manifest.json` and `repositories`, as docker writes since version 25. Blobs are copied unchanged, and layers
 * that were built here are archived from their directories.
 */
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { notFound } from '../errors.ts';
import { mediaTypes } from './descriptor.ts';
import type { Image } from './images.ts';
import { blobBytes, readBlob } from './layer-blobs.ts';
import { familiar, fullName, fullTag, parseReference } from './reference.ts';
import type { StoreParts } from './store-parts.ts';

interface Chosen {
  image: Image;
  /** Full names with tags that the archive contains. */
  names: Set<string>;
}

/** A fixed time, so that the same content gives the same archive. */
const fixedTime = new Date(0);

/** Throws not-found before the first byte; a later failure destroys the stream. */
export function saveImages(parts: StoreParts, references: string[]): Readable {
  const chosen = choose(parts, references);
  const archive = pack();
  const output = new PassThrough();
  const release = parts.leases.hold(chosen.flatMap(({ image }) => blobsOf(image)));
  writeArchive(parts, chosen, archive)
    .catch((error) => archive.destroy(error))
    .finally(release);
  pipeline(archive, output).catch((error) => output.destroy(error));
  return output;
}

/** The name of a repository means all its tags; an ID or digest is saved without names. */
function choose(parts: StoreParts, references: string[]): Chosen[] {
  const byId = new Map<string, Chosen>();
  for (const text of references) {
    for (const { image, name } of resolve(parts, text)) {
      const chosen = byId.get(image.id) ?? { image, names: new Set() };
      if (name !== undefined) chosen.names.add(name);
      byId.set(image.id, chosen);
    }
  }
  return [...byId.values()];
}

function resolve(parts: StoreParts, text: string): { image: Image; name?: string }[] {
  const image = parts.images.find(text);
  const repository = repositoryOf(text);
  if (repository !== undefined) {
    const all = parts.images
      .all()
      .flatMap((candidate) =>
        candidate.entries
          .filter(({ name }) => name?.startsWith(`${repository}:`))
          .map(({ name }) => ({ image: candidate, name })),
      );
    if (all.length > 0) return all;
  }
  if (image === undefined) throw notFound(`No such image: ${text}`);
  const name = tagIn(text);
  return [image.entries.some((entry) => entry.name === name) ? { image, name } : { image }];
}

function repositoryOf(text: string): string | undefined {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(text)) return undefined;
  const reference = parseReference(text);
  return reference.tag === undefined && reference.digest === undefined
    ? fullName(reference)
    : undefined;
}

function tagIn(text: string): string | undefined {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(text) || text.startsWith('sha256:')) return undefined;
  const reference = parseReference(text);
  return reference.tag === undefined ? undefined : fullTag(reference);
}

function blobsOf({ manifest, platforms, entries }: Image): string[] {
  const [entry] = entries;
  return [
    ...(entry === undefined ? [] : [entry.manifest.digest]),
    ...(platforms ?? []).map(({ descriptor }) => descriptor.digest),
    ...(platforms ?? [{ manifest }]).flatMap((image) => [
      image.manifest.config.digest,
      ...image.manifest.layers.map(({ digest }) => digest),
    ]),
  ];
}

async function writeArchive(parts: StoreParts, chosen: Chosen[], archive: Pack): Promise<void> {
  const blobs = [...new Set(chosen.flatMap(({ image }) => blobsOf(image)))].sort();
  directory(archive, 'blobs/');
  directory(archive, 'blobs/sha256/');
  for (const digest of blobs) await blob(parts, archive, digest);
  text(archive, 'index.json', indexOf(chosen));
  text(archive, 'manifest.json', chosen.map(dockerItem));
  text(archive, 'oci-layout', { imageLayoutVersion: '1.0.0' });
  text(archive, 'repositories', repositoriesOf(chosen));
  archive.finalize();
}

function indexOf(chosen: Chosen[]): unknown {
  const manifests = chosen.flatMap(({ image, names }) => {
    const descriptor = image.entries[0]?.manifest;
    if (descriptor === undefined) return [];
    const { mediaType, digest, size } = descriptor;
    if (names.size === 0) return [{ mediaType, digest, size }];
    return [...names].map((name) => ({
      mediaType,
      digest,
      size,
      annotations: {
        'io.containerd.image.name': name,
        // `docker save` writes only the tag here; the annotation above has the full name.
        'org.opencontainers.image.ref.name': parseReference(name).tag,
      },
    }));
  });
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
}

function dockerItem({ image, names }: Chosen): unknown {
  return {
    Config: blobName(image.manifest.config.digest),
    RepoTags: [...names].map(familiar),
    Layers: image.manifest.layers.map(({ digest }) => blobName(digest)),
  };
}

/** Content of `repositories`, the format before manifest.json: name, tag and ID of the last layer. */
function repositoriesOf(chosen: Chosen[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { image, names } of chosen)
    for (const name of names) {
      const reference = parseReference(name);
      const short = familiar(fullName(reference));
      const last = image.manifest.layers.at(-1)?.digest ?? image.id;
      repositories[short] = { ...repositories[short], [reference.tag ?? 'latest']: last.slice(7) };
    }
  return repositories;
}

const blobName = (digest: string) => `blobs/${digest.replace(':', '/')}`;

function directory(archive: Pack, name: string): void {
  archive.entry({ name, type: 'directory', mode: 0o755, mtime: fixedTime });
}

function text(archive: Pack, name: string, value: unknown): void {
  archive.entry({ name, mode: 0o644, mtime: fixedTime }, JSON.stringify(value));
}

async function blob(parts: StoreParts, archive: Pack, digest: string): Promise<void> {
  const size = blobBytes(parts, digest);
  const entry = archive.entry({ name: blobName(digest), mode: 0o644, mtime: fixedTime, size });
  await pipeline(readBlob(parts, digest), entry);
}
