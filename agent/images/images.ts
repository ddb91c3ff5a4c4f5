/** Images of the catalog, as the rest of the engine sees them. */
import type { HistoryEntry } from '../contract/image.ts';
import { invalid } from '../errors.ts';
import type { BlobStore } from './blobs.ts';
import type { Catalog, CatalogEntry } from './catalog.ts';
import {
  type Descriptor,
  type ImageDocument,
  type Manifest,
  maxDocumentBytes,
  type Platform,
  parseImageDocument,
  parseManifest,
} from './descriptor.ts';
import type { LayerStore } from './layers.ts';
import type { Leases } from './leases.ts';
import { familiar, fullName, fullTag, parseReference } from './reference.ts';
import type { StoredImage } from './store.ts';

/** One image: the catalog entries that have the same configuration. */
export interface Image {
  id: string;
  /** Manifest of the first entry, which push and save send. */
  manifest: Manifest;
  document: ImageDocument;
  /** Of an image list: what it has for each platform, this one's among them. */
  platforms?: PlatformImage[];
  entries: CatalogEntry[];
}

export interface PlatformImage {
  descriptor: Descriptor;
  manifest: Manifest;
  document: ImageDocument;
}

export interface ParsedImage {
  manifest: Manifest;
  document: ImageDocument;
  platforms?: PlatformImage[];
}

export interface ImagesParts {
  catalog: Catalog;
  blobs: BlobStore;
  layers: LayerStore;
  leases: Leases;
  platform: Platform;
}

export class Images {
  readonly #catalog: Catalog;
  readonly #blobs: BlobStore;
  readonly #layers: LayerStore;
  readonly #leases: Leases;
  /** Cache by manifest digest, whose content never changes. */
  readonly #parsed = new Map<string, ParsedImage>();
  /** The one that is meant of an image list. */
  readonly #platform: Platform;
  /** One array per image, whose identity keys what others cache about its layers. */
  readonly #lowers = new WeakMap<ImageDocument, string[]>();

  /** Kept content that is no manifest. */
  readonly #otherContent = new Set<string>();

  constructor({ catalog, blobs, layers, leases, platform }: ImagesParts) {
    this.#catalog = catalog;
    this.#blobs = blobs;
    this.#layers = layers;
    this.#leases = leases;
    this.#platform = platform;
  }

  all(): Image[] {
    const byId = new Map<string, Image>();
    for (const entry of this.#catalog.entries) {
      const parsed = this.parsed(entry.manifest.digest);
      if (parsed === undefined) continue;
      const id = parsed.manifest.config.digest;
      const image = byId.get(id);
      if (image !== undefined) image.entries.push(entry);
      else byId.set(id, { id, ...parsed, entries: [entry] });
    }
    return [...byId.values()];
  }

  /** Finds by name, digest, ID or prefix of an ID, in dockerd's order. Throws invalid when a prefix is ambiguous. */
  find(text: string): Image | undefined {
    const images = this.all();
    if (/^(sha256:)?[0-9a-f]{64}$/.test(text)) {
      const digest = text.startsWith('sha256:') ? text : `sha256:${text}`;
      return (
        images.find(({ id }) => id === digest) ??
        images.find(({ entries }) => entries.some(({ manifest }) => manifest.digest === digest))
      );
    }
    const prefix = /^(?:sha256:)?([0-9a-f]+)$/.exec(text)?.[1];
    const named = text.startsWith('sha256:') ? undefined : findNamed(images, text);
    if (named !== undefined || prefix === undefined) return named;
    const matching = images.filter(({ id }) => id.startsWith(`sha256:${prefix}`));
    if (matching.length > 1)
      throw invalid(`ambiguous image id ${text}: it fits ${matching.length} images`);
    return matching[0];
  }

  view(image: Image): StoredImage {
    const { document, entries } = image;
    const tagged = entries.map(({ taggedAt }) => taggedAt).filter((time) => time !== undefined);
    return {
      id: image.id,
      tags: tagsOf(image),
      repoDigests: [...new Set(entries.flatMap(({ repoDigests }) => repoDigests))].map(familiar),
      createdAt: dateOf(document.created),
      author: document.author ?? '',
      comment: document.comment ?? document.history.at(-1)?.comment ?? '',
      architecture: document.architecture,
      ...(document.variant !== undefined && { variant: document.variant }),
      os: document.os,
      sizeBytes: document.diffIds.reduce((sum, id) => sum + this.#layers.sizeOf(id), 0),
      config: document.config,
      diffIds: document.diffIds,
      lowers: this.#lowersOf(document),
      lastTaggedAt: dateOf(tagged.sort().at(-1)),
    };
  }

  #lowersOf(document: ImageDocument): string[] {
    const lowers =
      this.#lowers.get(document) ?? document.diffIds.map((id) => this.#layers.pathOf(id)).reverse();
    this.#lowers.set(document, lowers);
    return lowers;
  }

  /** History with the newest step first. Steps without a layer have size 0 (OCI config.md, `history`). */
  history(image: Image): HistoryEntry[] {
    const { document } = image;
    const layers = [...document.diffIds];
    const entries = document.history.map((record): HistoryEntry => {
      const layer = record.empty_layer ? undefined : layers.shift();
      return {
        id: '<missing>',
        createdAt: dateOf(record.created),
        createdBy: String(record.created_by ?? ''),
        comment: String(record.comment ?? ''),
        sizeBytes: layer === undefined ? 0 : this.#layers.sizeOf(layer),
        tags: [],
        ...(layer !== undefined && { diffId: layer }),
      };
    });
    const last = entries.at(-1);
    if (last !== undefined) Object.assign(last, { id: image.id, tags: tagsOf(image) });
    return entries.reverse();
  }

  /** Digests of all blobs and layers that the catalog needs. */
  used(): Set<string> {
    const used = new Set<string>();
    for (const { manifest } of this.#catalog.entries) {
      used.add(manifest.digest);
      const parsed = this.parsed(manifest.digest);
      if (parsed === undefined) continue;
      for (const digest of digestsOf(parsed)) used.add(digest);
    }
    return used;
  }

  /** The blob from which a layer was unpacked, as some manifest describes it: of an image, or of what a build is based on. */
  layerBlob(diffId: string): Descriptor | undefined {
    for (const { manifest } of this.#catalog.entries) {
      const found = blobIn(this.parsed(manifest.digest), diffId, this.#blobs);
      if (found !== undefined) return found;
    }
    for (const digest of this.#leases.kept) {
      const found = blobIn(this.#keptManifest(digest), diffId, this.#blobs);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #keptManifest(digest: string) {
    if (this.#parsed.has(digest)) return this.#parsed.get(digest);
    if (this.#otherContent.has(digest)) return undefined;
    const isDocument = this.#blobs.has(digest) && this.#blobs.sizeOf(digest) <= maxDocumentBytes;
    const parsed = isDocument ? this.parsed(digest) : undefined;
    if (parsed === undefined) this.#otherContent.add(digest);
    return parsed;
  }

  forget(manifestDigest: string): void {
    this.#parsed.delete(manifestDigest);
  }

  /**
   * A manifest and its configuration; `undefined` when its blobs are missing or damaged, so that one such image does
   * not stop the rest.
   */
  parsed(digest: string): ParsedImage | undefined {
    const known = this.#parsed.get(digest);
    if (known !== undefined) return known;
    try {
      const parsed = parseManifest(this.#blobs.readDocument(digest), undefined);
      if ('index' in parsed) return this.#remember(digest, this.#chosen(parsed.index));
      const document = parseImageDocument(this.#blobs.readDocument(parsed.manifest.config.digest));
      return this.#remember(digest, { manifest: parsed.manifest, document });
    } catch {
      return undefined;
    }
  }

  #remember(digest: string, parsed: ParsedImage | undefined): ParsedImage | undefined {
    if (parsed !== undefined) this.#parsed.set(digest, parsed);
    return parsed;
  }

  /** What an image list has for this machine, or its first image where there is nothing for it. */
  #chosen(listed: readonly Descriptor[]): ParsedImage | undefined {
    const platforms = listed.flatMap((descriptor) => {
      const image = this.#blobs.has(descriptor.digest) && this.parsed(descriptor.digest);
      return image ? [{ ...image, descriptor }] : [];
    });
    const { os, architecture } = this.#platform;
    const own = platforms.find(
      ({ document }) => document.os === os && document.architecture === architecture,
    );
    const chosen = own ?? platforms[0];
    if (chosen === undefined) return undefined;
    return { manifest: chosen.manifest, document: chosen.document, platforms };
  }
}

function blobIn(
  image: ParsedImage | undefined,
  diffId: string,
  blobs: BlobStore,
): Descriptor | undefined {
  if (image === undefined) return undefined;
  return (image.platforms ?? [image])
    .map(({ manifest, document }) => manifest.layers[document.diffIds.indexOf(diffId)])
    .find((blob) => blob !== undefined && blobs.has(blob.digest));
}

/**
 * Digests of the configuration, the layer blobs and the layers (diff IDs). A diff ID equals a blob's digest only for
 * plain tar.
 */
export function digestsOf(image: ParsedImage): string[] {
  const listed = image.platforms?.map(({ descriptor }) => descriptor.digest) ?? [];
  const content = (image.platforms ?? [image]).flatMap(({ manifest, document }) => [
    manifest.config.digest,
    ...manifest.layers.map(({ digest }) => digest),
    ...document.diffIds,
  ]);
  return [...listed, ...content];
}

/** Familiar names, sorted. */
export function tagsOf(image: Image): string[] {
  return image.entries.flatMap(({ name }) => (name === undefined ? [] : [familiar(name)])).sort();
}

function findNamed(images: Image[], text: string): Image | undefined {
  const reference = parseReference(text);
  if (reference.digest !== undefined) {
    const wanted = `${fullName(reference)}@${reference.digest}`;
    return images.find(({ entries }) =>
      entries.some(
        (entry) =>
          entry.repoDigests.includes(wanted) ||
          (entry.manifest.digest === reference.digest &&
            entry.name?.startsWith(`${fullName(reference)}:`)),
      ),
    );
  }
  const wanted = fullTag({ ...reference, tag: reference.tag ?? 'latest' });
  return images.find(({ entries }) => entries.some(({ name }) => name === wanted));
}

function dateOf(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
