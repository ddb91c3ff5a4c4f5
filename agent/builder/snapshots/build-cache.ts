/** The build cache as a whole: what is in it, what it keeps from removal, and what gives way when it is too large. */
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { BuildImage, BuildImages, ImageStore } from '../../images/store.ts';
import { openCacheDatabase } from './cache-database.ts';
import { bytesBelow } from './directory-bytes.ts';
import { DiskSnapshots } from './disk-snapshots.ts';
import { Results } from './results.ts';

export type CacheImages = Pick<ImageStore, 'sweep' | 'layerSizes'> &
  Pick<BuildImages, 'keep' | 'layerDirectory'>;

/** A base image that was fetched for builds. */
export interface KeptImage {
  digest: string;
  reference: string;
  layers: string[];
  content: string[];
}

export class BuildCache {
  readonly snapshots: DiskSnapshots;
  readonly results: Results;
  readonly database: DatabaseSync;
  readonly images: CacheImages;

  private constructor(directory: string, images: CacheImages) {
    this.database = openCacheDatabase(join(directory, 'cache.db'));
    this.images = images;
    this.snapshots = new DiskSnapshots(directory, this.database, images);
    this.results = new Results(this.database, this.snapshots);
  }

  /** `directory` exists. */
  static async open(directory: string, images: CacheImages): Promise<BuildCache> {
    const cache = new BuildCache(directory, images);
    await cache.snapshots.open();
    return cache;
  }

  async addImage({ digest, reference, layers, content }: BuildImage): Promise<void> {
    const now = Date.now();
    const ids = layers.map(({ diffId }) => diffId);
    this.database
      .prepare('INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, 1)')
      .run(digest, reference, JSON.stringify(ids), JSON.stringify(content), now, now);
    await this.keep();
  }

  keptImages(): KeptImage[] {
    return this.database
      .prepare('SELECT * FROM images')
      .all()
      .map((row) => ({
        digest: String(row.digest),
        reference: String(row.reference),
        layers: JSON.parse(String(row.layers)),
        content: JSON.parse(String(row.content)),
      }));
  }

  /** Tells the image store what it must not take away: to be called after layers were exported or images fetched. */
  async keep(): Promise<void> {
    const layers = this.database
      .prepare('SELECT diff_id FROM layers WHERE diff_id IS NOT NULL')
      .all();
    await this.images.keep('builder', [
      ...this.keptImages().flatMap(({ content }) => content),
      ...layers.map(({ diff_id }) => String(diff_id)),
      ...this.results
        .rows()
        .flatMap(({ outputs }) => outputs.flatMap((ids) => ids ?? []))
        .filter((id) => id.startsWith('sha256:')),
    ]);
  }

  /** Bytes on disk of a layer of our own; 0 for one that is an image's too. */
  async layerBytes(id: string): Promise<number> {
    const row = this.database.prepare('SELECT bytes, diff_id FROM layers WHERE id = ?').get(id);
    if (row === undefined || row.diff_id !== null) return 0;
    if (row.bytes !== null) return Number(row.bytes);
    const layer = this.snapshots.layer(id);
    const bytes = layer === undefined ? 0 : await bytesBelow(layer.directory);
    this.database.prepare('UPDATE layers SET bytes = ? WHERE id = ?').run(bytes, id);
    return bytes;
  }

  close(): void {
    this.database.close();
  }
}
