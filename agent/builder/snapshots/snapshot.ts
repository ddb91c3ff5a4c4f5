/**
 * The file trees of a build. A *layer* is a directory in the form of an overlayfs lower (whiteouts and opaque
 * directories as overlayfs writes them) and never changes. A *snapshot* is a stack of layers. A *mutable snapshot*
 * is one more layer that is being written; committing turns it into a layer under a final name by rename, so that a
 * crash leaves only what the sweep removes.
 */
export interface Layer {
  /** Unique and lasting: the diff id of an image's layer (`sha256:…`), or a random id of a layer that a step wrote. */
  id: string;
  /** The overlayfs lower. */
  directory: string;
  /** Digest of the layer's plain tar archive (OCI config.md). Steps' layers have one once they were exported. */
  diffId?: string;
  /** Of a step's layer: when it was written. */
  createdAt?: Date;
}

export interface Snapshot {
  /** Bottom first; empty is the empty tree (`FROM scratch`). */
  layers: readonly Layer[];
}

export interface MutableSnapshot {
  /** The topmost first, as overlayfs wants them. */
  lowers: string[];
  /** On one file system; the layer's changes are in `upper`. */
  upper: string;
  work: string;
  /** Also without changes it is a layer, since an image's history has an entry for each. */
  commit(): Promise<Snapshot>;
  /** Can be called more than once, and after `commit`, when it does nothing. */
  discard(): Promise<void>;
}

export interface SnapshotStore {
  begin(parent: Snapshot): Promise<MutableSnapshot>;
  /**
   * Notes that the image store has taken a layer's files over as the layer `diffId`, which lies at `directory` now.
   * `layer.directory` stays valid: it leads there from then on.
   */
  adopted(layer: Layer, diffId: string, directory: string): Promise<void>;
  /** Keeps the layers from pruning until the returned function is called. */
  hold(snapshot: Snapshot): () => void;
  /**
   * The directory of a cache mount (`RUN --mount=type=cache`), made if missing. `id` may be any text and says what the
   * mount begins with, too. Waits while a `locked` one is in use; a `private` one in use means another directory.
   */
  cacheMount(id: string, sharing: CacheSharing, signal: AbortSignal): Promise<CacheMount>;
}

export type CacheSharing = 'shared' | 'private' | 'locked';

export interface CacheMount {
  /** Bound as it is, or the upper layer of an overlay where the mount begins with a snapshot's content. */
  directory: string;
  /** For that overlay; on the same file system. */
  work: string;
  /** Ends the use; the content stays for the next one. */
  release(): void;
}

export const scratch: Snapshot = { layers: [] };

/** The topmost first. */
export const lowersOf = ({ layers }: Snapshot): string[] =>
  layers.map(({ directory }) => directory).reverse();
