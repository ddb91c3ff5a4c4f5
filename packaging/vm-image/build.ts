/**
 * Builds a guest: `scripts/vm-image [--arch amd64|arm64] [--release]`. What it makes lies in
 * dist/vm-image/<arch>: the kernel, its initramfs, the root disk, and a manifest of all that; with
 * `--release` also each of them compressed, as it is sent.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, chdir, env, stderr } from 'node:process';
import { parseArgs } from 'node:util';
import { constants, zstdCompressSync } from 'node:zlib';
import { addAgent } from '../recipe/agent-files.ts';
import { type Architecture, architectures, isArchitecture } from '../recipe/architecture.ts';
import { Debian, type PackageFile, packageFiles } from '../recipe/debian.ts';
import { contentOf } from '../recipe/file-tree.ts';
import { NpmPackages } from '../recipe/npm-packages.ts';
import { wantedPackages } from '../recipe/packages.ts';
import { relayFor, shimFor } from '../recipe/static-programs.ts';
import { tarOf } from '../recipe/tar.ts';
import { compressFile } from './compress.ts';
import { Copyrights } from './copyrights.ts';
import { cpioOf } from './cpio.ts';
import { writeErofs } from './erofs.ts';
import { addGuestAgent, removeModuleAgent } from './guest-agent.ts';
import { initrdTree } from './initrd.ts';
import { plainKernel } from './kernel.ts';
import { libcRecord } from './libc-record.ts';
import { checkLibraries } from './libraries.ts';
import {
  checkLicences,
  fileRecords,
  kernelArguments,
  type Manifest,
  manifestText,
  npmRecords,
  type PackageRecord,
  sizesOf,
} from './manifest.ts';
import { openModules, rootModules } from './modules.ts';
import { addSystemFiles, joinCertificates, skeleton } from './root.ts';
import { spdxDocument } from './sbom.ts';
import { wslTree } from './wsl.ts';

/** Takes minutes; a build that only runs here has no use for it. */
const releaseLevel = 19;

/** Level 15 already takes a minute, which every build for tests would pay. */
const packed = (release: boolean) => ({
  params: { [constants.ZSTD_c_compressionLevel]: release ? releaseLevel : 3 },
});

const repository = join(import.meta.dirname, '../..');

async function build(architecture: Architecture, release: boolean): Promise<void> {
  const output = join(repository, 'dist/vm-image', architecture);
  const cache = join(repository, 'dist/vm-image/cache');
  mkdirSync(output, { recursive: true });

  const debian = new Debian(join(cache, architecture), architecture);
  debian.updateLists();
  const kernelName = debian.packageBehind(architectures[architecture].kernelPackage);
  const packages = debian.download([kernelName, ...wantedPackages.map(({ name }) => name)]);

  const tree = skeleton();
  const copyrights = new Copyrights(debian);
  const records: PackageRecord[] = [];
  const kernelFiles: PackageFile[] = [];
  let newest = 0;
  for (const { name, version, path, sha256 } of packages) {
    const wanted = wantedPackages.find((each) => each.name === name)?.files ?? kernelPaths;
    for await (const file of packageFiles(
      path,
      (each) => wanted.test(each) || copyrights.wants(each),
    )) {
      newest = Math.max(newest, file.time.getTime());
      if (copyrights.take(file)) continue;
      if (name === kernelName) kernelFiles.push(file);
      else if (file.type === 'file') tree.file(file.path, file.content, file.mode);
      else if (file.type === 'link') tree.link(file.path, file.target);
    }
    records.push({ type: 'deb', name, version, licence: await copyrights.licenceOf(name), sha256 });
  }
  records.push(await libcRecord(debian, copyrights));
  const time = timeOf(new Date(newest));

  joinCertificates(tree);
  addSystemFiles(tree);
  const shim = await shimFor(debian, repository);
  const npm = new NpmPackages(repository, join(cache, 'npm'));
  const npmPackages = await addAgent(tree, repository, architecture, npm, { shim, time });
  await addGuestAgent(tree, repository, architecture);
  records.push(...npmRecords(npmPackages));
  using modules = openModules(kernelFiles, architectures[architecture].toolPrefix);
  modules.addTo(tree, rootModules);
  checkLibraries(tree);
  checkLicences(records);

  const kernelFile = architecture === 'amd64' ? 'vmlinux' : 'Image';
  const vmlinuz = kernelFiles.find(({ path }) => path.startsWith('boot/vmlinuz'))!;
  writeFileSync(join(output, kernelFile), plainKernel(vmlinuz.content, architecture));
  const initrd = initrdTree(contentOf(tree, 'usr/bin/busybox'), modules);
  writeFileSync(join(output, 'initrd'), cpioOf(initrd, time));
  const wsl = await tarOf(wslTree(tree, await relayFor(debian, repository)), time);
  removeModuleAgent(tree);
  writeErofs(await tarOf(tree, time), join(output, 'root.erofs'), time);
  writeFileSync(join(output, 'wsl.tar.zst'), zstdCompressSync(wsl, packed(release)));

  const names = [kernelFile, 'initrd', 'root.erofs'];
  for (const name of names)
    if (release) compressFile(join(output, name), releaseLevel);
    // Of an older build, perhaps.
    else rmSync(join(output, `${name}.zst`), { force: true });
  const sent = release ? names.map((name) => `${name}.zst`) : [];
  const manifest: Manifest = {
    version: 1,
    architecture,
    time: time.getTime() / 1000,
    kernelVersion: modules.version,
    kernelArguments: kernelArguments[architecture],
    files: fileRecords(output, [...names, ...sent, 'wsl.tar.zst']),
    packages: records,
  };
  writeFileSync(
    join(output, 'sbom.spdx.json'),
    `${JSON.stringify(spdxDocument(manifest, copyrights.texts), undefined, 1)}\n`,
  );
  writeFileSync(join(output, 'manifest.json'), manifestText(manifest));
  stderr.write(`vm-image: ${output} has ${sizesOf(manifest)}\n`);
}

const kernelPaths = /^boot\/vmlinuz|^usr\/lib\/modules\//;

/** Of the newest file that came from Debian, so that the same packages give the same bytes. */
function timeOf(newest: Date): Date {
  const given = env.SOURCE_DATE_EPOCH;
  return given === undefined ? newest : new Date(Number(given) * 1000);
}

const { values } = parseArgs({
  args: argv.slice(2),
  options: { arch: { type: 'string' }, release: { type: 'boolean' } },
});
const wanted = values.arch ?? 'amd64';
if (!isArchitecture(wanted)) {
  stderr.write(`vm-image: --arch takes amd64 or arm64, not "${wanted}"\n`);
  process.exit(2);
}
// The bundler writes paths relative to this into its comments.
chdir(repository);
await build(wanted, values.release ?? false);
