/**
 * Unpacked layers: `layers/<hex of diff id>/fs` is an overlayfs lower, `…/size` the bytes of its files. A layer does
 * not depend on the layers below it, so each is unpacked once. Of a layer that was
 * made here, `…/archive` has the bytes of its archive, which is made anew from the files when it is wanted
 * (archive-layer.ts).
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../kernel/libc.ts';
import type { ArchivedLayer } from './archive-layer.ts';
import { hexOf } from './descriptor.ts';
import type { UnpackLimits } from './layer-limits.ts';
import type { UnpackPool } from './unpack-pool.ts';

export class LayerStore {
  readonly #directory: string;
  readonly #pool: UnpackPool;
  readonly #limits: UnpackLimits;
  /** Sizes in bytes by diff ID. */
  readonly #sizes = new Map<string, number>();
  /** Diff id -> bytes of the archive that the layer's files make. */
  readonly #archives = new Map<string, number>();
  readonly #unpacking = new Map<string, Promise<void>>();

  constructor(directory: string, pool: UnpackPool, limits: UnpackLimits) {
    this.#directory = directory;
    this.#pool = pool;
    this.#limits = limits;
    for (const name of readdirSync(directory)) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      const diffId = `sha256:${name}`;
      this.#sizes.set(diffId, Number(readFileSync(join(directory, name, 'size'), 'utf8')));
      const archive = join(directory, name, 'archive');
      if (existsSync(archive)) this.#archives.set(diffId, Number(readFileSync(archive, 'utf8')));
    }
  }

  has(diffId: string): boolean {
    return this.#sizes.has(diffId);
  }

  /** Path of the lower directory. */
  pathOf(diffId: string): string {
    return join(this.#directory, hexOf(diffId), 'fs');
  }

  /** Bytes of the archive that the layer's files make; undefined for a layer whose archive is a blob. */
  archiveBytes(diffId: string): number | undefined {
    return this.#archives.get(diffId);
  }

  sizes(): Map<string, number> {
    return new Map(this.#sizes);
  }

  sizeOf(diffId: string): number {
    return this.#sizes.get(diffId) ?? 0;
  }

  /** Unpacks a blob unless its layer exists. A second request for the same layer waits for the first. */
  async unpack(
    diffId: string,
    blobPath: string,
    signal?: AbortSignal,
    progress?: (compressedBytes: number) => void,
  ): Promise<void> {
    // The loop tries again after waiting, since the other request may have been cancelled.
    while (!this.has(diffId)) {
      const other = this.#unpacking.get(diffId);
      if (other !== undefined) await other.catch(() => {});
      else {
        signal?.throwIfAborted();
        const work = this.#unpack(diffId, blobPath, signal, progress);
        this.#unpacking.set(diffId, work);
        await work.finally(() => this.#unpacking.delete(diffId));
      }
    }
  }

  /**
   * Takes over the directory of a layer that was made here. When the layer is here already, nothing happens. Throws
   * EXDEV where renaming cannot move the directory.
   */
  async adopt(
    { diffId, archiveBytes, fileBytes }: Omit<ArchivedLayer, 'digest' | 'sizeBytes'>,
    from: string,
  ): Promise<void> {
    await this.#unpacking.get(diffId)?.catch(() => {});
    if (this.isWhole(diffId)) return;
    const work = this.#adopt(diffId, archiveBytes, fileBytes, from);
    this.#unpacking.set(diffId, work);
    await work.finally(() => this.#unpacking.delete(diffId));
  }

  async #adopt(diffId: string, archiveBytes: number, fileBytes: number, from: string) {
    const name = hexOf(diffId);
    const temporaryName = `${name}.${randomBytes(4).toString('hex')}.tmp`;
    const temporary = join(this.#directory, temporaryName);
    try {
      await mkdir(temporary, { mode: 0o700 });
      await writeFile(join(temporary, 'size'), `${fileBytes}`);
      await writeFile(join(temporary, 'archive'), `${archiveBytes}`);
      await this.#moveAside(name);
      await rename(from, join(temporary, 'fs'));
      await rename(temporary, join(this.#directory, name));
    } catch (error) {
      await this.#removeDirectory(temporaryName);
      throw error;
    }
    this.#sizes.set(diffId, fileBytes);
    this.#archives.set(diffId, archiveBytes);
  }

  async #unpack(
    diffId: string,
    blobPath: string,
    signal?: AbortSignal,
    progress?: (bytes: number) => void,
  ): Promise<void> {
    const name = hexOf(diffId);
    const temporaryName = `${name}.${randomBytes(4).toString('hex')}.tmp`;
    const temporary = join(this.#directory, temporaryName);
    const directory = join(temporary, 'fs');
    try {
      await mkdir(temporary, { mode: 0o700 });
      await mkdir(directory, { mode: 0o755 });
      const limits = this.#limits;
      const sizeBytes = await this.#pool.run(
        { kind: 'unpack', blobPath, directory, diffId, limits },
        signal,
        progress,
      );
      await writeFile(join(temporary, 'size'), `${sizeBytes}`);
      await this.#moveAside(name);
      await rename(temporary, join(this.#directory, name));
      this.#sizes.set(diffId, sizeBytes);
    } catch (error) {
      await this.#removeDirectory(temporaryName);
      throw error;
    }
  }

  /** Renames a broken directory that has a layer's name. */
  async #moveAside(name: string): Promise<void> {
    if (existsSync(join(this.#directory, name))) await this.#discard(name);
  }

  /** Removes a layer. It is renamed first, so that a crash never leaves a part of it under its name. */
  async remove(diffId: string): Promise<void> {
    if (!this.#sizes.delete(diffId)) return;
    this.#archives.delete(diffId);
    await this.#discard(hexOf(diffId));
  }

  async #discard(name: string): Promise<void> {
    const doomed = `${name}.${randomBytes(4).toString('hex')}.tmp`;
    await rename(join(this.#directory, name), join(this.#directory, doomed));
    await this.#removeDirectory(doomed);
  }

  /** Removes unused layers and unfinished ones. */
  async sweep(isUsed: (diffId: string) => boolean): Promise<void> {
    for (const diffId of [...this.#sizes.keys()]) if (!isUsed(diffId)) await this.remove(diffId);
    for (const name of readdirSync(this.#directory)) {
      const diffId = `sha256:${name.slice(0, 64)}`;
      if (name.endsWith('.tmp') && !this.#unpacking.has(diffId)) await this.#removeDirectory(name);
    }
  }

  /** Whether the directory exists: another program may have removed it. */
  isWhole(diffId: string): boolean {
    const whole = this.has(diffId) && existsSync(this.pathOf(diffId));
    if (!whole) {
      this.#sizes.delete(diffId);
      this.#archives.delete(diffId);
    }
    return whole;
  }

  async #removeDirectory(name: string): Promise<void> {
    try {
      await this.#pool.run({ kind: 'remove', parent: this.#directory, name });
    } catch (error) {
      // Another sweep has removed it already.
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
}
