/** What an image is: its files with sizes and digests, and every package with version and licence. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from '../recipe/architecture.ts';
import type { NpmPackage } from '../recipe/npm-packages.ts';

export interface PackageRecord {
  name: string;
  version: string;
  /** `deb` or `npm`: where it comes from, as in a package URL. */
  type: 'deb' | 'npm';
  /** As its copyright file or its package.json names them. */
  licence: string;
  /** Of the package as it was downloaded: Debian's list has the one, npm's lock file the other. */
  sha256?: string;
  sha512?: string;
}

export interface FileRecord {
  bytes: number;
  sha256: string;
}

export interface Manifest {
  version: 1;
  architecture: Architecture;
  /** Seconds since 1970: the time of every file in the image. */
  time: number;
  kernelVersion: string;
  /** Besides the console, which is the host's choice. */
  kernelArguments: string[];
  files: Record<string, FileRecord>;
  packages: PackageRecord[];
}

/**
 * Nothing is probed that a machine of this kind does not have; a panic ends the machine, so that the
 * host notices; the self-tests of cryptography, which take a second in an emulated processor, are for
 * those who change it. Large pages are for programs that ask for them: others' memory grows by what they do not use of
 * each. Blocks of free memory from 64 KiB on are told to the host, where the kernel would begin with 2 MiB.
 */
export const kernelArguments: Record<Architecture, string[]> = {
  amd64: [
    'quiet',
    'loglevel=3',
    'panic=-1',
    'initcall_blacklist=jent_mod_init',
    'cryptomgr.notests=1',
    'random.trust_cpu=on',
    'transparent_hugepage=madvise',
    'page_reporting.page_reporting_order=4',
    'no_timer_check',
  ],
  arm64: [
    'quiet',
    'loglevel=3',
    'panic=-1',
    'initcall_blacklist=jent_mod_init',
    'cryptomgr.notests=1',
    'random.trust_cpu=on',
    'transparent_hugepage=madvise',
    'page_reporting.page_reporting_order=4',
  ],
};

/** A package that lies in two places is one. */
export function npmRecords(packages: readonly NpmPackage[]): PackageRecord[] {
  const distinct = new Map(packages.map((each) => [`${each.name}@${each.version}`, each]));
  return [...distinct.values()].map(({ name, version, licence, sha512 }) => ({
    type: 'npm',
    name,
    version,
    licence,
    ...(sha512 !== undefined && { sha512 }),
  }));
}

/** Nothing is sent on of which nobody knows what it allows. */
export function checkLicences(packages: readonly PackageRecord[]): void {
  const unknown = packages.filter(({ licence }) => licence === 'NOASSERTION');
  if (unknown.length > 0)
    throw new Error(
      `no licence is known of ${unknown.map(({ name }) => name).join(', ')}: licences.ts reads Debian's copyright files, npm-packages.ts package.json`,
    );
}

export function fileRecords(directory: string, names: readonly string[]) {
  return Object.fromEntries(names.map((name) => [name, fileRecord(join(directory, name))]));
}

function fileRecord(path: string): FileRecord {
  return {
    bytes: statSync(path).size,
    sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
  };
}

/** For people: what it takes, and what is sent of a machine that boots. */
export function sizesOf({ files }: Pick<Manifest, 'files'>): string {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  const packed = Object.keys(files).filter((name) => `${name}.zst` in files);
  const list = Object.entries(files).map(([name, { bytes }]) => `${name} ${megabytes(bytes)}`);
  const sent = packed.reduce((sum, name) => sum + files[`${name}.zst`]!.bytes, 0);
  return list.join(', ') + (packed.length > 0 ? `; a machine is sent as ${megabytes(sent)}` : '');
}

/** With a fixed order, so that the same image has the same manifest. */
export function manifestText(manifest: Manifest): string {
  const packages = manifest.packages.toSorted((a, b) =>
    `${a.type} ${a.name} ${a.version}` < `${b.type} ${b.name} ${b.version}` ? -1 : 1,
  );
  return `${JSON.stringify({ ...manifest, packages }, undefined, 2)}\n`;
}
