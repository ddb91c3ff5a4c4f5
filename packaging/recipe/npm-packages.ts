/** npm packages of any processor: from node_modules, or by `npm pack` where it has another one's. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';

interface LockedPackage {
  version: string;
  integrity?: string;
  license?: string;
  dependencies?: Record<string, string>;
}

export interface NpmPackage {
  name: string;
  version: string;
  licence: string;
  /** Of the archive that the registry has. */
  sha512: string | undefined;
  /** Where it lies below `node_modules`. */
  place: string;
}

export class NpmPackages {
  readonly #repository: string;
  readonly #cache: string;
  readonly #locked: Record<string, LockedPackage>;

  constructor(repository: string, cache: string) {
    this.#repository = repository;
    this.#cache = cache;
    mkdirSync(cache, { recursive: true });
    const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, LockedPackage>;
    };
    this.#locked = lock.packages;
  }

  /** What the product's own package.json needs to run. */
  runtimeNames(): string[] {
    return Object.keys(this.#locked['']?.dependencies ?? {});
  }

  /** `names` and all that they depend on, as the lock file placed them. */
  closure(names: readonly string[], left: RegExp): NpmPackage[] {
    const found = new Map<string, LockedPackage>();
    const visit = (name: string, from: string): void => {
      if (left.test(name)) return;
      const place = this.#placeOf(name, from);
      if (found.has(place)) return;
      const locked = this.#locked[place]!;
      found.set(place, locked);
      for (const needed of Object.keys(locked.dependencies ?? {})) visit(needed, place);
    };
    for (const name of names) visit(name, '');
    return [...found].map(([place, locked]) => this.#described(place, locked));
  }

  /** As Node resolves it: beside the one who asks, and then outwards. */
  #placeOf(name: string, from: string): string {
    for (let folder = from; ; folder = folder.replace(/\/?node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
      const place = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
      if (this.#locked[place] !== undefined) return place;
      if (folder === '') throw new Error(`package-lock.json has no ${name}, which ${from} needs`);
    }
  }

  describe(name: string): NpmPackage {
    return this.#described(`node_modules/${name}`, this.#of(name));
  }

  #described(path: string, { version, integrity, license }: LockedPackage): NpmPackage {
    const place = path.slice('node_modules/'.length);
    const digest = /^sha512-(\S+)/.exec(integrity ?? '')?.[1];
    return {
      name: place.replace(/^.*\bnode_modules\//, ''),
      version,
      licence: license ?? olderLicence(join(this.#repository, path)),
      sha512: digest && Buffer.from(digest, 'base64').toString('hex'),
      place,
    };
  }

  /** Files of a package by their paths in it; only those that `wanted` names. */
  async files(name: string, wanted: (path: string) => boolean): Promise<Map<string, Buffer>> {
    const installed = join(this.#repository, 'node_modules', name);
    return existsSync(installed)
      ? filesBelow(installed, wanted)
      : await filesOf(this.#download(name), wanted);
  }

  /** Throws when the archive is not the one that the lock file means. */
  #download(name: string): Buffer {
    const { version, integrity } = this.#of(name);
    const archive = join(this.#cache, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
    if (!existsSync(archive))
      execFileSync(
        'npm',
        ['pack', '--silent', `${name}@${version}`, '--pack-destination', this.#cache],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
    const content = readFileSync(archive);
    const digest = `sha512-${createHash('sha512').update(content).digest('base64')}`;
    if (digest !== integrity)
      throw new Error(`${archive} is not what package-lock.json says; remove it and build again`);
    return content;
  }

  #of(name: string): LockedPackage {
    const locked = this.#locked[`node_modules/${name}`];
    if (locked === undefined) throw new Error(`package-lock.json has no ${name}`);
    return locked;
  }
}

/** A list, as package.json had it before npm 2; the lock file leaves that out. */
function olderLicence(directory: string): string {
  const file = join(directory, 'package.json');
  if (!existsSync(file)) return 'NOASSERTION';
  const { licenses = [] } = JSON.parse(readFileSync(file, 'utf8')) as {
    licenses?: { type: string }[];
  };
  return licenses.map(({ type }) => type).join(' OR ') || 'NOASSERTION';
}

/** Not links: npm makes none inside packages. */
export function filesBelow(
  directory: string,
  wanted: (path: string) => boolean,
): Map<string, Buffer> {
  const paths = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter(wanted)
    .sort();
  return new Map(paths.map((path) => [path, readFileSync(join(directory, path))]));
}

async function filesOf(
  archive: Buffer,
  wanted: (path: string) => boolean,
): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const reader = extract();
  reader.end(gunzipSync(archive));
  for await (const entry of reader) {
    // The first folder is called `package`, or anything else.
    const path = entry.header.name.replace(/^[^/]+\//, '');
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (entry.header.type === 'file' && wanted(path)) files.set(path, Buffer.concat(chunks));
  }
  return files;
}
