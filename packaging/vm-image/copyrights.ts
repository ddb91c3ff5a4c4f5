/** What Debian's packages say of their licences, each in the one file of its documentation that is read. */
import { type Debian, type PackageFile, packageFiles } from '../recipe/debian.ts';
import { licencesIn, licenceTexts } from './licences.ts';

const place = /^usr\/share\/doc\/([^/]+)(\/copyright)?$/;

export class Copyrights {
  /** Of licences that SPDX does not know, by our reference to them. */
  readonly texts = new Map<string, string>();
  readonly #debian: Debian;
  readonly #licences = new Map<string, string>();
  /** Packages of one source share a folder: those of gcc have that of gcc-14-base. */
  readonly #links = new Map<string, string>();

  constructor(debian: Debian) {
    this.#debian = debian;
  }

  wants(path: string): boolean {
    return place.test(path);
  }

  /** False for a file that is another's to take. */
  take({ path, type, target, content }: PackageFile): boolean {
    const name = place.exec(path)?.[1];
    if (name === undefined) return false;
    if (type === 'link') this.#links.set(name, target);
    else if (type === 'file') {
      const text = content.toString();
      this.#licences.set(name, licencesIn(text));
      for (const [reference, words] of licenceTexts(text))
        if (!this.texts.has(reference)) this.texts.set(reference, words);
    }
    return true;
  }

  /** Of a package whose files were taken. */
  async licenceOf(name: string): Promise<string> {
    const link = this.#links.get(name);
    if (link !== undefined && !this.#licences.has(link))
      for (const { path } of this.#debian.download([link]))
        for await (const file of packageFiles(path, (each) => this.wants(each))) this.take(file);
    return this.#licences.get(link ?? name) ?? 'NOASSERTION';
  }
}
