/**
 * All names that a folder may contain: any other name is absent, without a request to the host. Names are only added,
 * and letters of either case are equal, so that this is true on a case-insensitive disk too. A name that such a disk
 * may match by another spelling or as a short name is never reported absent.
 */
const isPlain = (name: string) => /^[!-}]+$/.test(name);
/** Limit of names; beyond it the host is asked. */
export const mostNames = 20_000;

export class FolderNames {
  readonly #names = new Set<string>();
  #areAll = true;

  constructor(names: Iterable<string> = []) {
    for (const name of names) this.add(name);
  }

  add(name: string): void {
    if (!isPlain(name) || this.#names.size >= mostNames) this.#areAll = false;
    if (this.#areAll) this.#names.add(name.toLowerCase());
    else this.#names.clear();
  }

  lacks(name: string): boolean {
    return this.#areAll && isPlain(name) && !this.#names.has(name.toLowerCase());
  }
}
