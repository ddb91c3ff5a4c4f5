/**
 * Debian packages of any architecture, by apt with directories of its own: no root, nothing of the
 * machine's own apt changes, and no program of a package runs.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { extract } from 'tar-stream';
import type { Architecture } from './architecture.ts';

export interface DebianPackage {
  name: string;
  version: string;
  path: string;
  sha256: string;
  url: string;
}

export interface PackageFile {
  /** Without a leading slash. */
  path: string;
  type: 'file' | 'directory' | 'link';
  mode: number;
  target: string;
  time: Date;
  content: Buffer;
}

const mirror = 'http://deb.debian.org';
const suites = [
  ['debian', 'trixie'],
  ['debian', 'trixie-updates'],
  ['debian-security', 'trixie-security'],
];
const keyrings = ['pgp', 'gpg'].map(
  (suffix) => `/usr/share/keyrings/debian-archive-keyring.${suffix}`,
);
/** Lists that are younger serve as they are, so that building twice in a day gives the same twice. */
const listsMaxAgeMs = 24 * 3600 * 1000;

export class Debian {
  readonly architecture: Architecture;
  readonly #directory: string;
  readonly #options: string[];

  /** `directory` keeps lists and packages from one build to the next. */
  constructor(directory: string, architecture: Architecture) {
    this.architecture = architecture;
    this.#directory = resolve(directory);
    for (const needed of ['lists/partial', 'archives/partial', 'parts'])
      mkdirSync(join(this.#directory, needed), { recursive: true });
    const keyring = keyrings.find((path) => existsSync(path));
    if (keyring === undefined)
      throw new Error(`${keyrings[0]} is missing: apt-get install debian-archive-keyring`);
    const sources = suites.map(
      ([archive, suite]) =>
        `deb [arch=${architecture} signed-by=${keyring}] ${mirror}/${archive} ${suite} main\n`,
    );
    const sourcesPath = join(this.#directory, 'sources.list');
    writeFileSync(sourcesPath, sources.join(''));
    const statusPath = join(this.#directory, 'status');
    writeFileSync(statusPath, '');
    this.#options = Object.entries({
      'APT::Architecture': architecture,
      'APT::Architectures': architecture,
      // The user that apt downloads as may not write where an ordinary user builds.
      'APT::Sandbox::User': '',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '5',
      'Dir::Etc::SourceList': sourcesPath,
      'Dir::Etc::SourceParts': join(this.#directory, 'parts'),
      'Dir::State::Lists': join(this.#directory, 'lists'),
      'Dir::State::Status': statusPath,
      'Dir::Cache': this.#directory,
      'Dir::Cache::Archives': join(this.#directory, 'archives'),
    }).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  }

  updateLists(): void {
    const stamp = join(this.#directory, 'lists-read');
    const age = Date.now() - (statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (age < listsMaxAgeMs) return;
    this.#apt('apt-get', ['update', '-q', '-q', '--error-on=any']);
    writeFileSync(stamp, '');
  }

  /** The one package that a package such as linux-image-cloud-amd64 stands for. */
  packageBehind(name: string): string {
    const text = this.#apt('apt-cache', ['depends', '--important', name]);
    const found = /^\s+Depends: (\S+)$/m.exec(text)?.[1];
    if (found === undefined) throw new Error(`${name} depends on no package`);
    return found;
  }

  /** Downloads what is not there yet. Throws when a digest is not the one of Debian's signed list. */
  download(names: readonly string[]): DebianPackage[] {
    // From an empty folder: apt leaves out what lies where it would download to.
    const empty = join(this.#directory, 'parts');
    const listed = this.#apt('apt-get', ['download', '--print-uris', ...names], empty);
    const packages = [...listed.matchAll(/^'(\S+)' (\S+) \d+ SHA256:([0-9a-f]{64})$/gm)].map(
      ([, url = '', file = '', sha256 = '']): DebianPackage => {
        const [name = '', version = ''] = decodeURIComponent(file).split('_');
        return { name, version, url, sha256, path: join(this.#directory, 'archives', file) };
      },
    );
    const missing = packages.filter(({ path }) => !existsSync(path));
    if (missing.length > 0)
      this.#apt(
        'apt-get',
        ['download', '-q', '-q', ...missing.map(({ name, version }) => `${name}=${version}`)],
        join(this.#directory, 'archives'),
      );
    for (const { path, sha256 } of packages)
      if (createHash('sha256').update(readFileSync(path)).digest('hex') !== sha256) {
        renameSync(path, `${path}.wrong`);
        throw new Error(`${path} is not what Debian's list says; it is now ${path}.wrong`);
      }
    const lacking = names.filter((name) => !packages.some((found) => found.name === name));
    if (lacking.length > 0) throw new Error(`Debian has no package ${lacking.join(', ')}`);
    return packages.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #apt(program: string, args: string[], cwd?: string): string {
    return execFileSync(program, [...this.#options, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'inherit'],
      ...(cwd === undefined ? {} : { cwd }),
    });
  }
}

/**
 * Those files of a package that `wanted` names. Its scripts stay where they are: nothing of another
 * processor can run.
 */
export async function* packageFiles(
  path: string,
  wanted: (file: string) => boolean,
): AsyncGenerator<PackageFile> {
  const child = spawn('dpkg-deb', ['--fsys-tarfile', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((done, failed) => {
    child.once('error', failed);
    child.once('close', done);
  });
  const archive = child.stdout.pipe(extract());
  for await (const entry of archive) {
    const { name, type, mode, linkname, mtime } = entry.header;
    const file = name.replace(/^\.?\//, '').replace(/\/$/, '');
    if (!wanted(file)) {
      entry.resume();
      continue;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (type !== 'file' && type !== 'directory' && type !== 'symlink')
      throw new Error(
        `${path}: ${name} is a ${type}; debian.ts knows files, directories and links`,
      );
    yield {
      path: file,
      type: type === 'symlink' ? 'link' : type,
      mode: (mode ?? 0o644) & 0o7777,
      target: linkname ?? '',
      time: mtime ?? new Date(0),
      content: Buffer.concat(chunks),
    };
  }
  const status = await ended;
  if (status !== 0) throw new Error(`dpkg-deb could not read ${path} (status ${status})`);
}
