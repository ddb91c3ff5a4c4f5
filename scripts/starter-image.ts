/**
 * Builds corten/starter:latest: a small Linux with a shell, from Debian's busybox-static. The same
 * package gives the same bytes: nothing in the archive depends on when or where it was built.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { argv, exit, stderr } from 'node:process';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

/** This machine's busybox. It also lists the applets of a busybox for another processor, which cannot run here. */
const ownBusyboxPath = '/usr/bin/busybox';
const name = 'docker.io/corten/starter:latest';
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const passwd = `root:x:0:0:root:/root:/bin/sh
user:x:1000:1000:user:/home/user:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
`;
const group = `root:x:0:
tty:x:5:
user:x:1000:
nogroup:x:65534:
`;
const profile = `# Read by login shells, and through $ENV by every interactive one.
export PATH=${searchPath}
PS1='\\[\\e[1;32m\\]\\u@\\h\\[\\e[0m\\]:\\[\\e[1;34m\\]\\w\\[\\e[0m\\]\\$ '
alias ll='ls -l'
`;
const osRelease = `NAME="Corten Starter"
ID=corten-starter
ID_LIKE=debian
PRETTY_NAME="Corten Starter (Debian's BusyBox)"
`;

interface File {
  name: string;
  header?: Partial<Header>;
  content?: string | Buffer;
}

const { busyboxPath, architecture, output } = options();

function options() {
  const { values, positionals } = parseArgs({
    args: argv.slice(2),
    allowPositionals: true,
    options: { busybox: { type: 'string' }, architecture: { type: 'string' } },
  });
  const [path] = positionals;
  if (path === undefined) fail('the archive to write is missing');
  return {
    busyboxPath: values.busybox ?? ownBusyboxPath,
    architecture:
      values.architecture ??
      { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ??
      process.arch,
    output: path,
  };
}

async function main(): Promise<void> {
  const built = new Date(Math.floor(busyboxStat().mtimeMs / 1000) * 1000);
  const layer = await tar(rootFiles(), built);
  const archive = await tar(layoutFiles(layer, built), built);
  writeFileSync(`${output}.new`, archive);
  renameSync(`${output}.new`, output);
}

function busyboxStat() {
  const stat = statSync(busyboxPath, { throwIfNoEntry: false });
  return stat ?? fail(`${busyboxPath} is missing: apt-get install busybox-static`);
}

/** The root file system in the order of the archive, in which a directory comes before its files. */
function rootFiles(): File[] {
  return [
    directory('dev'),
    directory('etc'),
    directory('home'),
    directory('home/user', { uid: 1000, gid: 1000 }),
    directory('proc'),
    directory('root', { mode: 0o700 }),
    directory('run'),
    directory('sys'),
    directory('tmp', { mode: 0o1777 }),
    directory('usr'),
    directory('usr/bin'),
    directory('usr/lib'),
    directory('usr/local'),
    directory('usr/local/bin'),
    directory('usr/sbin'),
    directory('var'),
    directory('var/log'),
    directory('var/tmp', { mode: 0o1777 }),
    link('bin', 'usr/bin'),
    link('lib', 'usr/lib'),
    link('sbin', 'usr/sbin'),
    link('var/run', '../run'),
    { name: 'etc/passwd', content: passwd },
    { name: 'etc/group', content: group },
    { name: 'etc/profile', content: profile },
    { name: 'etc/shells', content: '/bin/sh\n' },
    // Engines mount over these, and would have to create missing ones at each start.
    { name: 'etc/hostname', content: '' },
    { name: 'etc/hosts', content: '' },
    { name: 'etc/resolv.conf', content: '' },
    { name: 'etc/nsswitch.conf', content: 'passwd: files\ngroup: files\nhosts: files dns\n' },
    { name: 'usr/lib/os-release', content: osRelease },
    link('etc/os-release', '../usr/lib/os-release'),
    { name: 'usr/bin/busybox', content: readFileSync(busyboxPath), header: { mode: 0o755 } },
    ...applets().map((path) => link(path, '/usr/bin/busybox')),
  ];
}

/** The path of each applet, as busybox lists it; `/bin` and `/sbin` are links into `/usr`. */
function applets(): string[] {
  const listed = execFileSync(ownBusyboxPath, ['--list-full'], { encoding: 'utf8' }).split('\n');
  const merged = listed
    .filter((path) => path !== '')
    .map((path) => (path.startsWith('usr/') ? path : `usr/${path}`))
    .filter((path) => path !== 'usr/bin/busybox' && /^usr\/s?bin\//.test(path));
  return [...new Set(merged)].sort();
}

function directory(path: string, header: Partial<Header> = {}): File {
  return { name: `${path}/`, header: { type: 'directory', mode: 0o755, ...header } };
}

function link(path: string, target: string): File {
  return { name: path, header: { type: 'symlink', linkname: target, mode: 0o777 } };
}

/** An OCI image layout with one image (image-spec, image-layout.md). */
function layoutFiles(layer: Buffer, built: Date): File[] {
  const compressed = gzipSync(layer, { level: 9 });
  const config = Buffer.from(JSON.stringify(configuration(digestOf(layer), built)));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', compressed)],
    }),
  );
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: {
          'io.containerd.image.name': name,
          'org.opencontainers.image.ref.name': 'latest',
        },
      },
    ],
  };
  return [
    directory('blobs'),
    directory('blobs/sha256'),
    ...[config, manifest, compressed].map((content) => ({
      name: `blobs/${digestOf(content).replace(':', '/')}`,
      content,
    })),
    { name: 'index.json', content: JSON.stringify(index) },
    { name: 'oci-layout', content: JSON.stringify({ imageLayoutVersion: '1.0.0' }) },
  ];
}

function configuration(diffId: string, built: Date): unknown {
  const created = built.toISOString();
  return {
    created,
    architecture,
    os: 'linux',
    config: {
      // An interactive ash that is no login shell reads the file $ENV (sh(1posix)).
      Env: [`PATH=${searchPath}`, 'ENV=/etc/profile'],
      Cmd: ['sh'],
      Labels: { 'org.opencontainers.image.title': 'Corten starter: a small Linux with a shell' },
    },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created, created_by: "Debian's busybox-static" }],
  };
}

function descriptor(mediaType: string, content: Buffer) {
  return { mediaType, digest: digestOf(content), size: content.length };
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

async function tar(files: File[], mtime: Date): Promise<Buffer> {
  const archive = pack();
  for (const { name: path, header, content } of files)
    archive.entry({ name: path, mode: 0o644, mtime, ...header }, content ?? '');
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function fail(message: string): never {
  stderr.write(`starter-image: ${message}\n`);
  exit(1);
}

await main();
