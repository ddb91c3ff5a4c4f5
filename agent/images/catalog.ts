/**
 * The list of images: `index.json` of the OCI layout with one descriptor per name (image-layout.md). What Docker
 * stores beside the name is in annotations of Corten's own. Changes run one at a time, and are on disk before they
 * are visible.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../kernel/libc.ts';
import {
  type Descriptor,
  isObject,
  mediaTypes,
  parseDescriptor,
  parseObject,
} from './descriptor.ts';
import { overwrite, writeDurably } from './durable-file.ts';
import { fullTag, parseReference } from './reference.ts';

export interface CatalogEntry {
  manifest: Descriptor;
  /** A name such as `docker.io/library/alpine:latest`; absent for an image that lost its last name. */
  name?: string;
  taggedAt?: string;
  /** Digested names such as `docker.io/library/alpine@sha256:…`, as registries served them. */
  repoDigests: string[];
}

const refName = 'org.opencontainers.image.ref.name';
const taggedAtKey = 'dev.corten.image.tagged-at';
const repoDigestsKey = 'dev.corten.image.repo-digests';

export class Catalog {
  readonly #path: string;
  #entries: readonly CatalogEntry[];
  #lastChange: Promise<void> = Promise.resolve();

  private constructor(path: string, entries: readonly CatalogEntry[]) {
    this.#path = path;
    this.#entries = entries;
  }

  static async open(root: string): Promise<Catalog> {
    const layout = join(root, 'oci-layout');
    if (!existsSync(layout))
      await writeDurably(layout, JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    const path = join(root, 'index.json');
    if (!existsSync(path)) await writeDurably(path, indexText([]));
    return new Catalog(path, parseIndex(readFileSync(path)));
  }

  get entries(): readonly CatalogEntry[] {
    return this.#entries;
  }

  /** Applies a change to the newest entries. Throws the errors of writing; then nothing has changed. */
  update(change: (entries: readonly CatalogEntry[]) => CatalogEntry[]): Promise<void> {
    const next = this.#lastChange.then(async () => {
      const changed = change(this.#entries);
      await writeIndex(this.#path, indexText(changed));
      this.#entries = changed;
    });
    // A failed change must not stop those after it; its caller gets the error.
    this.#lastChange = next.catch(() => {});
    return next;
  }
}

/**
 * A full disk has no space for a second file, but removing images must work there: an index that did not grow is
 * written over the old one and padded with spaces.
 */
async function writeIndex(path: string, text: string): Promise<void> {
  try {
    await writeDurably(path, text);
  } catch (error) {
    const { size } = statSync(path);
    if (!hasErrno(error, 'ENOSPC', 'EDQUOT') || Buffer.byteLength(text) > size) throw error;
    await overwrite(path, Buffer.alloc(size, ' ').fill(text, 0, Buffer.byteLength(text)));
  }
}

/** Entries after an image got `name`, which another image loses. */
export function withName(
  entries: readonly CatalogEntry[],
  manifest: Descriptor,
  { name, repoDigests = [], now }: { name?: string; repoDigests?: string[]; now: Date },
): CatalogEntry[] {
  const same = entries.filter((entry) => entry.manifest.digest === manifest.digest);
  const digests = [...new Set([...same.flatMap((entry) => entry.repoDigests), ...repoDigests])];
  const known = same.some((entry) => entry.name === name);
  const others =
    name === undefined
      ? [...entries]
      : withoutName(
          entries.filter(
            (entry) => entry.manifest.digest !== manifest.digest || entry.name !== undefined,
          ),
          name,
        );
  const kept = others.map((entry) =>
    entry.manifest.digest === manifest.digest ? { ...entry, repoDigests: digests } : entry,
  );
  if (name === undefined && (known || same.length > 0)) return kept;
  const added: CatalogEntry = { manifest, repoDigests: digests, taggedAt: now.toISOString() };
  if (name !== undefined) added.name = name;
  return [...kept, added];
}

/** Entries after a name was removed; an image without a last name stays. */
export function withoutName(entries: readonly CatalogEntry[], name: string): CatalogEntry[] {
  return entries.flatMap((entry) => {
    if (entry.name !== name) return [entry];
    const others = entries.some(
      (other) => other !== entry && other.manifest.digest === entry.manifest.digest,
    );
    if (others) return [];
    const { name: _, ...nameless } = entry;
    return [nameless];
  });
}

function indexText(entries: readonly CatalogEntry[]): string {
  const manifests = entries.map(({ manifest, name, taggedAt, repoDigests }) => ({
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.size,
    ...(manifest.platform && { platform: manifest.platform }),
    annotations: {
      ...(name !== undefined && { [refName]: name }),
      ...(taggedAt !== undefined && { [taggedAtKey]: taggedAt }),
      ...(repoDigests.length > 0 && { [repoDigestsKey]: repoDigests.join(' ') }),
    },
  }));
  return `${JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }, null, 1)}\n`;
}

function parseIndex(bytes: Buffer): CatalogEntry[] {
  const document = parseObject(bytes, 'image index');
  const manifests = Array.isArray(document.manifests) ? document.manifests : [];
  return manifests
    .filter(isObject)
    .map((item) => parseDescriptor(item))
    .map(entryOf);
}

function entryOf({ annotations = {}, ...manifest }: Descriptor): CatalogEntry {
  const name = nameOf(annotations[refName]);
  return {
    manifest,
    ...(name !== undefined && { name }),
    ...(annotations[taggedAtKey] !== undefined && { taggedAt: annotations[taggedAtKey] }),
    repoDigests: annotations[repoDigestsKey]?.split(' ') ?? [],
  };
}

function nameOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    const reference = parseReference(text);
    return reference.tag === undefined ? undefined : fullTag(reference);
  } catch {
    // Another tool wrote this name; the image is shown without one.
    return undefined;
  }
}
