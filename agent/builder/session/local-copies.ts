/**
 * Copies of clients' directories, which are brought up to date at each build instead of brought anew. A copy is used by
 * one build at a time, since its files are the build's; a second build of the same directory meanwhile has another copy.
 */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface LocalCopy {
  path: string;
  /** Ends the use; nothing happens when it is called again. */
  release(): void;
}

export class LocalCopies {
  readonly #directory: string;
  readonly #used = new Set<string>();

  /** `directory` is made when it is needed; what lies in it outlives the process. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The same text gets the same copy, as long as nobody else uses it. */
  async use(key: string): Promise<LocalCopy> {
    const name = createHash('sha256').update(key).digest('hex');
    let number = 0;
    while (this.#used.has(join(this.#directory, name, String(number)))) number++;
    const path = join(this.#directory, name, String(number));
    this.#used.add(path);
    try {
      await mkdir(path, { recursive: true, mode: 0o755 });
    } catch (error) {
      this.#used.delete(path);
      throw error;
    }
    let isReleased = false;
    const release = () => {
      if (!isReleased) this.#used.delete(path);
      isReleased = true;
    };
    return { path, release };
  }
}
