/** The images of the catalog as the rest of the engine sees them. */
import type { HistoryEntry } from '../contract/image.ts';
import { invalid } from '../errors.ts';
import type { BlobStore } from './blobs.ts';
import type { Catalog, CatalogEntry } from './catalog.ts';
import {
  type ImageDocument,
  type Manifest,
  parseImageDocument,
  parseManifest,
} from './descriptor.ts';
import type { LayerStore } from './layers.ts';
import { familiar, fullName, fullTag, parseReference } from './reference.ts';
import type { StoredImage } from './store.ts';

/** One image: what the entries of the same configuration have in common. */
export interface Image {
  id: string;
  /** The first entry's manifest: what push and save send. */
  manifest: Manifest;
  document: ImageDocument;
  entries: CatalogEntry[];
}

export class Images {
  readonly #catalog: Catalog;
  readonly #blobs: BlobStore;
  readonly #layers: LayerStore;
  /** By manifest digest: content never changes under its digest. */
  readonly #parsed = new Map<string, { manifest: Manifest; document: ImageDocument }>();
  /** One list an image, by which others may remember what they found in its layers. */
  readonly #lowers = new WeakMap<ImageDocument, string[]>();

  constructor(catalog: Catalog, blobs: BlobStore, layers: LayerStore) {
    this.#catalog = catalog;
    this.#blobs = blobs;
    this.#layers = layers;
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

  /** By name, digest, id or prefix of an id, in the order in which dockerd tries them. */
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

  /** Newest first. Steps that made no layer have size 0 (OCI config.md, `history`). */
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
      };
    });
    const last = entries.at(-1);
    if (last !== undefined) Object.assign(last, { id: image.id, tags: tagsOf(image) });
    return entries.reverse();
  }

  /** Every blob and layer that some entry of the catalog needs. */
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

  forget(manifestDigest: string): void {
    this.#parsed.delete(manifestDigest);
  }

  /** A manifest and its configuration. Undefined when its blobs are gone or damaged: such an image cannot be used, nor stop the rest. */
  parsed(digest: string): { manifest: Manifest; document: ImageDocument } | undefined {
    const known = this.#parsed.get(digest);
    if (known !== undefined) return known;
    try {
      const parsed = parseManifest(this.#blobs.readDocument(digest), undefined);
      if ('index' in parsed) return undefined;
      const document = parseImageDocument(this.#blobs.readDocument(parsed.manifest.config.digest));
      const loaded = { manifest: parsed.manifest, document };
      this.#parsed.set(digest, loaded);
      return loaded;
    } catch {
      return undefined;
    }
  }
}

/** Configuration, layer blobs and layers. Diff ids and blob digests never meet but for plain tar. */
export function digestsOf(image: { manifest: Manifest; document: ImageDocument }): string[] {
  const { manifest, document } = image;
  return [
    manifest.config.digest,
    ...manifest.layers.map(({ digest }) => digest),
    ...document.diffIds,
  ];
}

/** Short names, sorted. */
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
