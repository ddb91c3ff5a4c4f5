/**
 * Builds a guest: `scripts/vm-image [--arch amd64|arm64]`. What it makes lies in dist/vm-image/<arch>:
 * the kernel, its initramfs, the root disk, and a manifest of all that.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, env, stderr } from 'node:process';
import { parseArgs } from 'node:util';
import { addAgent } from './agent-files.ts';
import { type Architecture, architectures, isArchitecture } from './architecture.ts';
import { cpioOf } from './cpio.ts';
import { Debian, packageFiles } from './debian.ts';
import { writeErofs } from './erofs.ts';
import { contentOf } from './file-tree.ts';
import { initrdTree } from './initrd.ts';
import { plainKernel } from './kernel.ts';
import { openModules, rootModules } from './modules.ts';
import { NpmPackages } from './npm-packages.ts';
import { wantedPackages } from './packages.ts';
import { addSystemFiles, joinCertificates, skeleton } from './root.ts';
import { tarOf } from './tar.ts';

const repository = join(import.meta.dirname, '..');

async function build(architecture: Architecture): Promise<void> {
  const output = join(repository, 'dist/vm-image', architecture);
  const cache = join(repository, 'dist/vm-image/cache');
  mkdirSync(output, { recursive: true });

  const debian = new Debian(join(cache, architecture), architecture);
  debian.updateLists();
  const kernelName = debian.packageBehind(architectures[architecture].kernelPackage);
  const packages = debian.download([kernelName, ...wantedPackages.map(({ name }) => name)]);
  const pathOf = (name: string) => packages.find((found) => found.name === name)!.path;

  let newest = new Date(0);
  const tree = skeleton();
  for (const { name, files } of wantedPackages)
    for await (const file of packageFiles(pathOf(name), (path) => files.test(path))) {
      if (file.time > newest) newest = file.time;
      if (file.type === 'file') tree.file(file.path, file.content, file.mode);
      else if (file.type === 'link') tree.link(file.path, file.target);
    }
  const kernelFiles = await all(
    packageFiles(pathOf(kernelName), (path) => /^boot\/vmlinuz|^usr\/lib\/modules\//.test(path)),
  );
  for (const { time } of kernelFiles) if (time > newest) newest = time;
  const time = timeOf(newest);

  joinCertificates(tree);
  addSystemFiles(tree);
  await addAgent(
    tree,
    repository,
    architecture,
    new NpmPackages(repository, join(cache, 'npm')),
    time,
  );

  using modules = openModules(kernelFiles);
  modules.addTo(tree, rootModules);
  const initrd = cpioOf(initrdTree(contentOf(tree, 'usr/bin/busybox'), modules), time);

  const vmlinuz = kernelFiles.find(({ path }) => path.startsWith('boot/vmlinuz'))!;
  const kernelFile = architecture === 'amd64' ? 'vmlinux' : 'Image';
  writeFileSync(join(output, kernelFile), plainKernel(vmlinuz.content, architecture));
  writeFileSync(join(output, 'initrd'), initrd);
  writeErofs(await tarOf(tree, time), join(output, 'root.erofs'), time);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Of the newest file that came from Debian, so that the same packages give the same bytes. */
function timeOf(newest: Date): Date {
  const given = env.SOURCE_DATE_EPOCH;
  return given === undefined ? newest : new Date(Number(given) * 1000);
}

const { values } = parseArgs({ args: argv.slice(2), options: { arch: { type: 'string' } } });
const architecture = values.arch ?? 'amd64';
if (!isArchitecture(architecture)) {
  stderr.write(`vm-image: --arch takes amd64 or arm64, not "${architecture}"\n`);
  process.exit(2);
}
await build(architecture);
