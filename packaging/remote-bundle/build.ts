/**
 * The engine as one archive for any Linux host with glibc: Node, the agent, the shim, the starter
 * image, and the libraries that a host may lack. `scripts/remote-bundle [--arch amd64|arm64]`.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { addAgent, cortenPath } from '../recipe/agent-files.ts';
import { type Architecture, isArchitecture } from '../recipe/architecture.ts';
import { Debian, packageFiles } from '../recipe/debian.ts';
import { FileTree } from '../recipe/file-tree.ts';
import { NpmPackages } from '../recipe/npm-packages.ts';
import { wantedPackages } from '../recipe/packages.ts';
import { shimFor } from '../recipe/static-programs.ts';
import { tarOf } from '../recipe/tar.ts';

const repository = join(import.meta.dirname, '../..');
const scripts = join(import.meta.dirname, 'bin');

/** Debian's packages of nft and what it loads, down to the C library. */
const nftPackages = [
  'libc6',
  'nftables',
  'libnftables1',
  'libnftnl11',
  'libmnl0',
  'libjansson4',
  'libgmp10',
  'libedit2',
  'libbsd0',
  'libmd0',
  'libtinfo6',
  'libxtables12',
];
const seccompPackage = 'libseccomp2';

/** Nothing in the archive has a time of its own: the same inputs give the same bytes. */
const noTime = new Date(0);

interface Manifest {
  version: string;
  architecture: Architecture;
  sizeBytes: number;
  sha256: string;
  /** What it was made from: an unchanged one is not made again. */
  inputs: string;
}

async function build(architecture: Architecture): Promise<Manifest> {
  const output = join(repository, 'dist/remote', architecture);
  const manifestPath = join(output, 'manifest.json');
  const inputs = inputsOf(architecture);
  const before = existsSync(manifestPath)
    ? (JSON.parse(readFileSync(manifestPath, 'utf8')) as Manifest)
    : undefined;
  if (before?.inputs === inputs && existsSync(join(output, 'bundle.tar.gz'))) return before;

  const tree = new FileTree();
  const packages = openPackages(architecture);
  await addEngine(tree, architecture, packages);
  for (const name of ['corten-agent', 'corten-supervise', 'corten-host'])
    tree.file(`bin/${name}`, readFileSync(join(scripts, name)), 0o755);
  tree.file('bin/lacking/nft', readFileSync(join(scripts, 'nft')), 0o755);
  await addLibraries(tree, packages);

  const archive = await tarOf(tree, noTime);
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  const bundle = gzipSync(archive, { level: 6 });
  const manifest: Manifest = {
    version: `${version}-${digestOf(archive).slice(0, 12)}`,
    architecture,
    sizeBytes: bundle.length,
    sha256: digestOf(bundle),
    inputs,
  };
  mkdirSync(output, { recursive: true });
  writeFileSync(join(output, 'bundle.tar.gz.new'), bundle);
  renameSync(join(output, 'bundle.tar.gz.new'), join(output, 'bundle.tar.gz'));
  writeFileSync(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** The guest's recipe lays the agent out for a whole system; here all of it is below one directory. */
async function addEngine(
  tree: FileTree,
  architecture: Architecture,
  packages: Packages,
): Promise<void> {
  const guest = new FileTree();
  // The starter image is made from it.
  await packages.add(guest, 'busybox-static', (path) => path);
  const npm = new NpmPackages(repository, join(repository, 'dist/vm-image/cache/npm'));
  const shim = await shimFor(packages.debian, repository);
  await addAgent(guest, repository, architecture, npm, { shim, time: noTime });
  for (const [path, entry] of guest.entries()) {
    if (entry.type !== 'file') continue;
    if (path === 'usr/bin/node') tree.file('bin/node', entry.content, entry.mode);
    else if (path.startsWith(`${cortenPath}/`))
      tree.file(path.slice(cortenPath.length + 1), entry.content, entry.mode);
  }
}

/** Each library by its own name, and the loader that nft is started by. */
async function addLibraries(tree: FileTree, packages: Packages): Promise<void> {
  const nameOf = (path: string) => {
    const name = path.split('/').at(-1)!;
    return name.startsWith('ld-linux') ? 'loader' : name;
  };
  for (const name of nftPackages)
    await packages.add(tree, name, (path) => `lib/nft/${nameOf(path)}`);
  await packages.add(tree, seccompPackage, (path) => `lib/seccomp/${nameOf(path)}`);
}

interface Packages {
  debian: Debian;
  /** The files that the guest has of a package, where `placeOf` puts them. */
  add(tree: FileTree, name: string, placeOf: (path: string) => string): Promise<void>;
}

function openPackages(architecture: Architecture): Packages {
  const debian = new Debian(join(repository, 'dist/vm-image/cache', architecture), architecture);
  debian.updateLists();
  const found = debian.download(['busybox-static', ...nftPackages, seccompPackage]);
  return {
    debian,
    async add(tree, name, placeOf) {
      const { path } = found.find((one) => one.name === name)!;
      const wanted = wantedPackages.find((one) => one.name === name);
      if (wanted === undefined) throw new Error(`the guest's packages have no ${name} any more`);
      for await (const file of packageFiles(path, (one) => wanted.files.test(one))) {
        const place = placeOf(file.path);
        if (file.type === 'file') tree.file(place, file.content, 0o755);
        else if (file.type === 'link' && !place.endsWith('/loader'))
          tree.link(place, file.target.split('/').at(-1)!);
      }
    },
  };
}

function inputsOf(architecture: Architecture): string {
  const files = [
    ...filesIn('dist/agent'),
    ...filesIn('packaging/remote-bundle'),
    ...filesIn('packaging/recipe'),
    'package.json',
    'package-lock.json',
    ...filesIn('dist/shim'),
    ...filesIn('scripts').filter((path) => path.includes('starter-image')),
  ].sort();
  const hash = createHash('sha256').update(architecture);
  for (const path of files) hash.update(path).update(readFileSync(join(repository, path)));
  return hash.digest('hex');
}

function filesIn(directory: string): string[] {
  return readdirSync(join(repository, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(repository.length + 1));
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const { values } = parseArgs({ options: { arch: { type: 'string' } } });
const architecture = values.arch ?? (process.arch === 'arm64' ? 'arm64' : 'amd64');
if (!isArchitecture(architecture)) {
  process.stderr.write(`remote-bundle: --arch takes amd64 or arm64, not "${architecture}"\n`);
  process.exit(2);
}
process.stdout.write(`${JSON.stringify(await build(architecture))}\n`);
