import { execFileSync } from 'node:child_process';
import { type Debian, packageFiles } from '../recipe/debian.ts';
import { hostArchitecture } from '../recipe/static-programs.ts';
import type { Copyrights } from './copyrights.ts';
import type { PackageRecord } from './manifest.ts';

/**
 * The C library that is linked into the shim and the relay, which is Debian's musl. Programs for this computer's own
 * processor have the installed one, which may be another than Debian's lists name by now; its record then has no digest.
 */
export async function libcRecord(debian: Debian, copyrights: Copyrights): Promise<PackageRecord> {
  const name = 'musl-dev';
  const { version, sha256, path } = debian.download([name])[0]!;
  for await (const file of packageFiles(path, (each) => copyrights.wants(each)))
    copyrights.take(file);
  const licence = await copyrights.licenceOf(name);
  const installed = debian.architecture === hostArchitecture ? installedVersion(name) : version;
  const digest = installed === version ? { sha256 } : {};
  return { type: 'deb', name, version: installed, licence, ...digest };
}

function installedVersion(name: string): string {
  const said = execFileSync('dpkg-query', ['--show', name], { encoding: 'utf8' });
  return said.trim().split('\t')[1] ?? '';
}
