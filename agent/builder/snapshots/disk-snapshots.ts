/**
 * Snapshots on disk, below the builder's directory: `layers/<id>/fs` (a layer), `work/<id>/{fs,work}` (one being
 * written). What a crash leaves has no row in the database, or no directory, and is removed at the next start.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { BuildImages } from '../../images/store.ts';
import { CacheMounts } from './cache-mounts.ts';
import {
  type CacheMount,
  type CacheSharing,
  type Layer,
  lowersOf,
  type MutableSnapshot,
  type Snapshot,
  type SnapshotStore,
} from './snapshot.ts';

export class DiskSnapshots implements SnapshotStore {
  readonly #directory: string;
  readonly #database: DatabaseSync;
  readonly #images: Pick<BuildImages, 'layerDirectory'>;
  readonly #mounts: CacheMounts;
  /** Layers by their id, so that all who use one see where it has gone. */
  readonly #layers = new Map<string, Layer>();
  readonly #holds = new Map<string, number>();

  /** `directory` is made if missing. */
  constructor(
    directory: string,
    database: DatabaseSync,
    images: Pick<BuildImages, 'layerDirectory'>,
  ) {
    this.#directory = directory;
    this.#database = database;
    this.#images = images;
    this.#mounts = new CacheMounts(join(directory, 'mounts'), database);
  }

  async open(): Promise<void> {
    for (const name of ['layers', 'work', 'mounts'])
      await mkdir(join(this.#directory, name), { recursive: true, mode: 0o700 });
    await this.#sweep();
  }

  get mounts(): CacheMounts {
    return this.#mounts;
  }

  async begin(parent: Snapshot): Promise<MutableSnapshot> {
    const id = randomBytes(16).toString('hex');
    const place = join(this.#directory, 'work', id);
    const [upper, work] = [join(place, 'fs'), join(place, 'work')];
    await mkdir(place, { mode: 0o700 });
    await mkdir(upper, { mode: 0o755 });
    await mkdir(work, { mode: 0o700 });
    const releaseParent = this.hold(parent);
    let isOver = false;
    const end = async () => {
      if (isOver) return;
      isOver = true;
      releaseParent();
      await rm(place, { recursive: true, force: true });
    };
    return {
      lowers: lowersOf(parent),
      upper,
      work,
      discard: end,
      commit: async () => {
        const createdAt = new Date();
        const layer: Layer = {
          id,
          directory: join(this.#directory, 'layers', id, 'fs'),
          createdAt,
        };
        await mkdir(join(this.#directory, 'layers', id), { mode: 0o700 });
        await rename(upper, layer.directory);
        this.#database
          .prepare('INSERT INTO layers (id, created_at) VALUES (?, ?)')
          .run(id, createdAt.getTime());
        this.#layers.set(id, layer);
        await end();
        return { layers: [...parent.layers, layer] };
      },
    };
  }

  async adopted(layer: Layer, diffId: string, directory: string): Promise<void> {
    layer.diffId = diffId;
    if (layer.directory === directory) return;
    await rm(layer.directory, { recursive: true, force: true });
    await symlink(directory, layer.directory);
    this.#database.prepare('UPDATE layers SET diff_id = ? WHERE id = ?').run(diffId, layer.id);
  }

  hold({ layers }: Snapshot): () => void {
    const ids = layers.map(({ id }) => id);
    for (const id of ids) this.#holds.set(id, (this.#holds.get(id) ?? 0) + 1);
    return () => {
      for (const id of ids.splice(0)) {
        const count = (this.#holds.get(id) ?? 0) - 1;
        if (count > 0) this.#holds.set(id, count);
        else this.#holds.delete(id);
      }
    };
  }

  isHeld(layerId: string): boolean {
    return this.#holds.has(layerId);
  }

  cacheMount(id: string, sharing: CacheSharing, signal: AbortSignal): Promise<CacheMount> {
    return this.#mounts.use(id, sharing, signal);
  }

  /** The layer of an image, or of a step; undefined when it is gone. */
  layer(id: string): Layer | undefined {
    const known = this.#layers.get(id);
    if (known !== undefined && existsSync(known.directory)) return known;
    const found = id.startsWith('sha256:') ? this.#imageLayer(id) : this.#ownLayer(id);
    if (found === undefined) this.#layers.delete(id);
    else this.#layers.set(id, found);
    return found;
  }

  /** Removes the files of layers that no result uses any more and nobody holds. Resolves with their ids. */
  async removeUnused(used: ReadonlySet<string>): Promise<string[]> {
    const rows = this.#database.prepare('SELECT id FROM layers').all();
    const unused = rows
      .map(({ id }) => String(id))
      .filter((id) => !used.has(id) && !this.isHeld(id));
    for (const id of unused) {
      // The row first: files without a row are swept.
      this.#database.prepare('DELETE FROM layers WHERE id = ?').run(id);
      this.#layers.delete(id);
      await rm(join(this.#directory, 'layers', id), { recursive: true, force: true });
    }
    return unused;
  }

  #imageLayer(diffId: string): Layer | undefined {
    const directory = this.#images.layerDirectory(diffId);
    return directory === undefined ? undefined : { id: diffId, directory, diffId };
  }

  #ownLayer(id: string): Layer | undefined {
    const row = this.#database
      .prepare('SELECT diff_id, created_at FROM layers WHERE id = ?')
      .get(id);
    const directory = join(this.#directory, 'layers', id, 'fs');
    // Also false for a link to an image's layer that somebody removed.
    if (row === undefined || !existsSync(directory)) return undefined;
    return {
      id,
      directory,
      createdAt: new Date(Number(row.created_at)),
      ...(row.diff_id !== null && { diffId: String(row.diff_id) }),
    };
  }

  async #sweep(): Promise<void> {
    const work = join(this.#directory, 'work');
    for (const name of readdirSync(work)) await rm(join(work, name), { recursive: true });
    const rows = this.#database.prepare('SELECT id FROM layers').all();
    const known = new Set(rows.map(({ id }) => String(id)));
    const layers = join(this.#directory, 'layers');
    for (const name of readdirSync(layers))
      if (!known.has(name)) await rm(join(layers, name), { recursive: true });
    await this.#mounts.sweep();
  }
}
