/** Declares what the image routes need of the engine. */
import type { Readable } from 'node:stream';
import type {
  HistoryEntry,
  ImageConfig,
  ImageView,
  LayerFilesDocument,
  Progress,
  PullRequest,
  PushRequest,
  RegistryCredentials,
} from '../../contract/image.ts';
import type { LabelFilter } from '../containers/backend.ts';

export interface ImagesBackend {
  list(): ImageView[];
  /** Finds by name, name@digest, ID or prefix of an ID. */
  inspect(reference: string): ImageView;
  /** The newest step first. */
  history(reference: string): HistoryEntry[];
  /**
   * What one directory of a layer holds, after the name `after` and at most `limit`. Throws not-found for a layer that
   * the image lacks and for a path that is no directory in it.
   */
  layerFiles(
    reference: string,
    diffId: string,
    request: { path: string; after: string; limit: number },
  ): LayerFilesDocument;
  pull(request: PullRequest): AsyncIterable<Progress>;
  push(request: PushRequest): AsyncIterable<Progress>;
  tag(reference: string, target: string): Promise<void>;
  remove(
    reference: string,
    options: { force: boolean; prune: boolean },
  ): Promise<{ untagged: string[]; deleted: string[] }>;
  load(archive: Readable): AsyncIterable<Progress>;
  /** Writes an archive that both `docker load` and OCI tools read. */
  save(references: string[]): Promise<Readable>;
  importRoot(request: {
    archive: Readable;
    repository?: string;
    tag?: string;
    changes: string[];
    message?: string;
  }): AsyncIterable<Progress>;
  commit(request: {
    container: string;
    repository?: string;
    tag?: string;
    author?: string;
    comment?: string;
    changes: string[];
    pause: boolean;
    /** Fields that it lacks come from the container; all of them when it is absent. */
    config?: ImageConfig;
  }): Promise<string>;
  prune(filter: {
    danglingOnly: boolean;
    until?: Date;
    labels: LabelFilter[];
  }): Promise<{ untagged: string[]; deleted: string[]; reclaimedBytes: number }>;
  /** Checks a registry login. Resolves with the identity token, or throws unauthorized. */
  login(credentials: RegistryCredentials): Promise<{ identityToken?: string }>;
}
