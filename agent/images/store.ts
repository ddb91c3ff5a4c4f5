/**
 * Images: an OCI image layout on disk, with layers unpacked once into overlayfs lowers.
 *
 * On disk, under the state root's `images/`: `oci-layout`, `index.json` (one descriptor per tag,
 * with `org.opencontainers.image.ref.name`), `blobs/sha256/…`, and beside the layout
 * `layers/<diff-id>/` (an unpacked lower with its size) and `ingest/` (downloads under way, kept
 * for resume). A layer appears under its final name by rename only when whole and verified, so a
 * crash leaves only `ingest/` and `layers/*.tmp`, which the sweep removes.
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

/** The part of an image that containers hold on to. `containers` is counted by the engine. */
export type StoredImage = Omit<ImageView, 'containers'>;

export interface ImageStore {
  list(): StoredImage[];
  /** Undefined when there is none; invalid when an id prefix is ambiguous. */
  find(reference: string): StoredImage | undefined;
  history(reference: string): HistoryEntry[];
  pull(request: PullRequest): AsyncIterable<Progress>;
  push(request: PushRequest): AsyncIterable<Progress>;
  login(credentials: RegistryCredentials): Promise<{ identityToken?: string }>;
  tag(id: string, name: string): Promise<void>;
  /** Takes the name away; the image stays until `delete`. */
  untag(name: string): Promise<void>;
  /** Removes the image and every layer and blob that no other image uses: metadata first. */
  delete(id: string): Promise<{ deleted: string[]; reclaimedBytes: number }>;
  load(archive: Readable): AsyncIterable<Progress>;
  save(references: string[]): Promise<Readable>;
  /** A new image from one layer archive on top of an optional parent; resolves with its id. */
  commitLayer(request: CommitRequest): Promise<string>;
  /** Bytes per unpacked layer, by diff id, for disk use. */
  layerSizes(): Map<string, number>;
  /** Removes what a crash left behind. */
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
  /** The configuration's bytes. */
  config: Buffer;
  /** The bottom first; `directory` is there once the image was fetched. */
  layers: { diffId: string; directory: string }[];
  /** What has to be kept for as long as the image is used ({@link BuildImages.keep}). */
  content: string[];
}

/** What the builder needs beside the verbs. */
export interface BuildImages {
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
  /** Replaces the digests that `owner` keeps from removal and the sweep, over restarts too. */
  keep(owner: string, digests: Iterable<string>): Promise<void>;
}

/** The store as its owner has it. */
export interface OpenImageStore extends ImageStore, BuildImages {
  /** Ends the worker threads, which otherwise end by themselves when idle. */
  close(): Promise<void>;
}

export interface CommitRequest {
  /** By name, id or digest. */
  parent?: string;
  /** A plain tar archive in the form of an image layer, whiteouts and all. */
  layer: Readable;
  /** The configuration's `config` object ({@link ImageView.config}), whole. */
  config: Record<string, unknown>;
  history: { createdBy: string; comment?: string; author?: string };
  name?: string;
}
