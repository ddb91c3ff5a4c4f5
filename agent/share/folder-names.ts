/**
 * All names that a folder may have: whatever is not among them is not there, and nobody has to ask the
 * host. They only become more, and letters of either case are the same, so that this holds on a disk
 * which ignores case too. What such a disk may find by a name of another spelling, or by a short one, is
 * never said not to be there.
 */
const isPlain = (name: string) => /^[!-}]+$/.test(name);
/** Beyond it the host is asked. */
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
