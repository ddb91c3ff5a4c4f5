/** The agent as `scripts/setup` built it, with the libraries that it loads and its Node. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleAgent, unbundled } from './agent-bundle.ts';
import { type Architecture, architectures } from './architecture.ts';
import { contentOf, type FileTree } from './file-tree.ts';
import { smallNode } from './node-program.ts';
import type { NpmPackage, NpmPackages } from './npm-packages.ts';

/** Where the agent, its libraries and the guest's scripts lie. */
export const cortenPath = 'usr/lib/corten';

/** Addons of other runtimes and processors, and what ssh2 can do without. */
const left = /^(bare-|cpu-features$|nan$|buildcheck$|@koromix\/)/;
/** What runs, and what Node needs to find it. */
const program = /(\.[cm]?js|\.json|(^|\/)LICEN[CS]E[^/]*)$/i;
const idle =
  /(^|\/)(tests?|docs?|examples?|bench(mark)?s?|\.github|integration)\/|\.d\.ts$|cnoke\.cjs$|(^|\/)(test|bench\w*|example)\.js$/;

export async function addAgent(
  tree: FileTree,
  repository: string,
  architecture: Architecture,
  npm: NpmPackages,
  { shim, time }: { shim: Buffer; time: Date },
): Promise<NpmPackage[]> {
  const names = architectures[architecture];
  for (const [path, content] of await bundleAgent(join(repository, 'dist/agent')))
    tree.file(`${cortenPath}/dist/agent/${path}`, content);
  const busybox = contentOf(tree, 'usr/bin/busybox');
  tree.file(`${cortenPath}/dist/shim/shim`, shim, 0o755);
  tree.file(
    `${cortenPath}/dist/starter-image.tar`,
    starterImage(busybox, repository, architecture, time),
  );
  tree.file(`${cortenPath}/package.json`, readFileSync(join(repository, 'package.json')));

  // What only builds or tests need is among the others (devDependencies).
  const packages = npm.closure(npm.runtimeNames(), left);
  for (const { place } of npm.closure(unbundled, left))
    await addPackage(tree, npm, place, (path) => program.test(path) && !idle.test(path));
  const addon = npm.describe(`@koromix/koffi-linux-${names.npm}`);
  await addPackage(
    tree,
    npm,
    addon.place,
    (path) => path.startsWith(`linux_${names.npm}/`) || /^(index\.js|package\.json)$/.test(path),
  );

  const node = npm.describe(`node-linux-${names.npm}`);
  const files = await npm.files(node.name, (path) => path === 'bin/node');
  const binary = files.get('bin/node');
  if (binary === undefined) throw new Error(`${node.name} has no bin/node`);
  tree.file('usr/bin/node', smallNode(binary, names.toolPrefix), 0o755);
  return [...packages, addon, node];
}

async function addPackage(
  tree: FileTree,
  npm: NpmPackages,
  place: string,
  wanted: (path: string) => boolean,
): Promise<void> {
  for (const [path, content] of await npm.files(place, wanted))
    if (!path.startsWith('node_modules/'))
      tree.file(`${cortenPath}/node_modules/${place}/${path}`, content);
}

/** From the guest's own busybox, which is of its processor and of a version that we know. */
function starterImage(
  busybox: Buffer,
  repository: string,
  architecture: Architecture,
  time: Date,
): Buffer {
  const work = mkdtempSync(join(tmpdir(), 'corten-starter-'));
  try {
    const [program, archive] = [join(work, 'busybox'), join(work, 'starter.tar')];
    writeFileSync(program, busybox);
    utimesSync(program, time, time);
    execFileSync(join(repository, 'scripts/starter-image'), [
      ...['--busybox', program, '--architecture', architecture],
      archive,
    ]);
    return readFileSync(archive);
  } finally {
    rmSync(work, { recursive: true });
  }
}
