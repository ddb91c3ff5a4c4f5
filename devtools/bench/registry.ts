/** A registry with one image of many layers, inside an engine's network namespace. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

const address = '127.0.0.1:5000';
export const layeredImage = { repository: `${address}/bench/layers`, tag: '1' };

const layers = 6;
const filesEach = 300;
const fileBytes = 40_000;
export const layeredImageText = `${layers} layers of ${filesEach} files of ${fileBytes / 1000} kB`;

/** Pushes the image into `storage`, by a registry in a network namespace that has only a loopback. */
export async function fillRegistry(storage: string, pid: number): Promise<void> {
  const layout = join(storage, 'layout');
  await writeLayout(layout);
  const registry = await serveRegistry(storage, pid);
  const { repository, tag } = layeredImage;
  inNetworkOf(pid, 'skopeo', [
    ...['--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false'],
    ...[`oci:${layout}:${tag}`, `docker://${repository}:${tag}`],
  ]);
  registry.kill('SIGTERM');
}

/** Resolves when the registry answers. The caller kills it. */
export async function serveRegistry(storage: string, pid: number): Promise<ChildProcess> {
  const configuration = join(storage, 'registry.yml');
  writeFileSync(
    configuration,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${storage}/data}}\nhttp: {addr: ${address}}\n`,
  );
  const child = spawn(
    'nsenter',
    [`--net=/proc/${pid}/ns/net`, 'docker-registry', 'serve', configuration],
    { stdio: 'ignore' },
  );
  for (let attempt = 0; attempt < 100; attempt++) {
    await sleep(100);
    try {
      inNetworkOf(pid, 'skopeo', ['list-tags', '--tls-verify=false', `docker://${address}/none`]);
    } catch (error) {
      // An error answer shows that the registry serves.
      if (String((error as { stderr?: unknown }).stderr).includes('not known')) return child;
    }
  }
  child.kill('SIGKILL');
  throw new Error('docker-registry did not answer within 10 s');
}

function inNetworkOf(pid: number, program: string, parameters: string[]): void {
  execFileSync('nsenter', [`--net=/proc/${pid}/ns/net`, program, ...parameters], { stdio: 'pipe' });
}

async function writeLayout(layout: string): Promise<void> {
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const blob = (mediaType: string, bytes: Buffer) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(layout, 'blobs/sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (mediaType: string, value: unknown) =>
    blob(mediaType, Buffer.from(JSON.stringify(value)));
  const vendor = 'application/vnd.oci.image';
  const tars: Buffer[] = [];
  for (let index = 0; index < layers; index++) tars.push(await layer(index));
  const config = json(`${vendor}.config.v1+json`, {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    rootfs: {
      type: 'layers',
      diff_ids: tars.map((tar) => `sha256:${createHash('sha256').update(tar).digest('hex')}`),
    },
  });
  const manifest = json(`${vendor}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${vendor}.manifest.v1+json`,
    config,
    layers: tars.map((tar) => blob(`${vendor}.layer.v1.tar+gzip`, gzipSync(tar))),
  });
  const annotations = { 'org.opencontainers.image.ref.name': layeredImage.tag };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
}

/** Half random bytes and half zeros, which compress about as well as programs. */
async function layer(index: number): Promise<Buffer> {
  const archive = pack();
  for (let file = 0; file < filesEach; file++)
    archive.entry(
      { name: `data/${index}/${file}`, mtime: new Date(0) },
      Buffer.concat([randomBytes(fileBytes / 2), Buffer.alloc(fileBytes / 2)]),
    );
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of archive) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
