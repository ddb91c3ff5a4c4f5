/**
 * The image store: an OCI image layout on disk, with layers unpacked once into overlayfs lowers.
 *
 * Files below `images/` of the state root: `oci-layout`, `index.json` (one descriptor per tag, with
 * `org.opencontainers.image.ref.name`), `blobs/sha256/…`, and beside the layout `layers/<diff-id>/` (an unpacked
 * lower with its size) and `ingest/` (downloads in progress, kept for resuming). A layer gets its final name by a
 * rename when it is complete and verified, so a crash leaves only `ingest/` and `layers/*.tmp`, which the sweep
 * removes.
 */
import type { Readable } from 'node:stream';
import type {
  HistoryEntry,
  ImageView,
  Progress,
  PullRequest,
  PushRequest,
  RegistryCredentials,
} from '../contract/image.ts';
import type { Compression } from './compression.ts';
import type { Descriptor, Platform } from './descriptor.ts';

/** An image without `containers`, which the engine counts. */
export type StoredImage = Omit<ImageView, 'containers'>;

export interface ImageStore {
  list(): StoredImage[];
  /** Returns `undefined` when there is none. Throws invalid when a prefix of an ID is ambiguous. */
  find(reference: string): StoredImage | undefined;
  history(reference: string): HistoryEntry[];
  pull(request: PullRequest): AsyncIterable<Progress>;
  push(request: PushRequest): AsyncIterable<Progress>;
  login(credentials: RegistryCredentials): Promise<{ identityToken?: string }>;
  tag(id: string, name: string): Promise<void>;
  /** Removes the name; the image stays until `delete`. */
  untag(name: string): Promise<void>;
  /** Removes the image's metadata, then every layer and blob that no other image uses. */
  delete(id: string): Promise<{ deleted: string[]; reclaimedBytes: number }>;
  load(archive: Readable): AsyncIterable<Progress>;
  save(references: string[]): Promise<Readable>;
  /** Creates an image from one layer archive over an optional parent. Resolves with its ID. */
  commitLayer(request: CommitRequest): Promise<string>;
  /** Bytes of each unpacked layer by diff ID. */
  layerSizes(): Map<string, number>;
  /** Removes unfinished and unused content after a crash. */
  sweep(): Promise<void>;
}

export type BuildImageRequest = Omit<PullRequest, 'allTags'>;

export interface BuildImage {
  /** Of the manifest for the platform. */
  digest: string;
  /** Of what the reference points to: an index, or the manifest itself. */
  servedDigest: string;
  /** `docker.io/library/alpine:3@sha256:…` with the served digest. */
  reference: string;
  /** The complete `config` object of the configuration ({@link ImageView.config}). */
  config: Buffer;
  /** The bottom first; `directory` is there once the image was fetched. */
  layers: { diffId: string; directory: string }[];
  /** What has to be kept for as long as the image is used ({@link BuildImages.keep}). */
  content: string[];
}

export interface LayerAddition {
  /** An overlayfs lower that nobody writes to. */
  directory: string;
  /** Copies the files, for a directory that is not the caller's to give away. */
  isCopied?: boolean;
  /** Later times of files become this one, in nanoseconds since 1970; the files are copied. */
  latestNanos?: bigint;
  signal?: AbortSignal;
}

export interface AddedLayer {
  diffId: string;
  /** Where the layer lies now. What still lies at the old place is the caller's, who may remove it. */
  directory: string;
  /** Until then nothing removes the layer. */
  release(): void;
}

export interface ImageAddition {
  /** One, or with `index` one for each platform. */
  images: readonly {
    /** The whole configuration as JSON (OCI config.md), whose `diff_ids` are these. */
    config: Buffer;
    /** Layers of the store, the bottom first. */
    diffIds: readonly string[];
    platform: Platform;
    annotations?: Readonly<Record<string, string>>;
  }[];
  /** The image is a list for several platforms. */
  index?: { annotations?: Readonly<Record<string, string>> };
  names: readonly string[];
}

export interface AddedImage {
  /** With an index the id of the image for this machine, or of the first. */
  id: string;
  /** Of the manifest, or of the index. */
  descriptor: Descriptor;
}

export interface WantedBlob {
  /** Absent: as it is. A blob that is here is never compressed anew. */
  compression?: Compression;
  /** 0 to 9 of gzip, 1 to 22 of zstd. */
  level?: number;
  /** For the file of a layer that has to be compressed. */
  directory: string;
}

export interface LayerBlob {
  descriptor: Descriptor;
  open(): Readable;
}

/** What the builder needs beside the verbs. */
export interface BuildImages {
  /** Takes a directory over as a layer; throws ENOSPC and the signal's reason. */
  addLayer(addition: LayerAddition): Promise<AddedLayer>;
  /** Throws invalid for a name that is none, and for a layer that is not in the store. */
  addImage(addition: ImageAddition): Promise<AddedImage>;
  /** The image that a build is based on, if it is here; see build-images.ts. */
  localForBuild(request: Pick<BuildImageRequest, 'reference' | 'platform'>): BuildImage | undefined;
  resolveForBuild(request: BuildImageRequest): Promise<BuildImage>;
  fetchForBuild(
    request: BuildImageRequest,
    report: (line: Progress) => void,
    done: (image: BuildImage) => Promise<void>,
  ): Promise<void>;
  /** The overlayfs lower of an unpacked layer; undefined when it is not here. */
  layerDirectory(diffId: string): string | undefined;
  /** Keeps the digests from removal until the returned function is called. */
  hold(digests: Iterable<string>): () => void;
  /**
   * A layer of the store as a blob: the one that is here, if it is compressed so or no compression is asked for, and else
   * a new file in `directory`. Throws not-found for a layer that is not here.
   */
  layerBlob(diffId: string, wanted: WantedBlob, signal?: AbortSignal): Promise<LayerBlob>;
  /** Replaces the digests that `owner` keeps from removal and the sweep, over restarts too. */
  keep(owner: string, digests: Iterable<string>): Promise<void>;
}

/** The store for its owner, who closes it. */
export interface OpenImageStore extends ImageStore, BuildImages {
  /** Ends the worker threads, which otherwise end when idle. */
  close(): Promise<void>;
}

export interface CommitRequest {
  /** Parent image by name, ID or digest. */
  parent?: string;
  /** An uncompressed tar archive of an image layer, including whiteouts (OCI layer.md). */
  layer: Readable;
  /** The complete `config` object of the configuration ({@link ImageView.config}). */
  config: Record<string, unknown>;
  history: { createdBy: string; comment?: string; author?: string };
  name?: string;
}
