/** Small images, as archives and as an OCI layout, right or wrong as a test wants them. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { type RawEntry, tarOf } from './tar.ts';

export const digestOf = (bytes: Buffer) =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface TestImage {
  config: Buffer;
  manifest: Buffer;
  /** Compressed as the manifest says. */
  layers: Buffer[];
  diffIds: string[];
}

export interface ImageChanges {
  compress?: (layer: Buffer) => Buffer;
  mediaType?: string;
  diffIds?: string[];
  os?: string;
  config?: Record<string, unknown>;
}

export function imageOf(layers: RawEntry[][], changes: ImageChanges = {}): TestImage {
  const compress = changes.compress ?? gzipSync;
  const plain = layers.map((entries) => tarOf(entries));
  const blobs = plain.map((layer) => compress(layer));
  const diffIds = changes.diffIds ?? plain.map(digestOf);
  const config = json({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: changes.os ?? 'linux',
    created: '2024-01-02T03:04:05Z',
    config: changes.config ?? { Cmd: ['sh'], Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: layers.map((_, index) => ({ created_by: `step ${index}` })),
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: described('application/vnd.oci.image.config.v1+json', config),
    layers: blobs.map((blob) =>
      described(changes.mediaType ?? 'application/vnd.oci.image.layer.v1.tar+gzip', blob),
    ),
  });
  return { config, manifest, layers: blobs, diffIds };
}

/** An OCI archive; `exchange` replaces a blob's content without its name. */
export function ociArchive(
  image: TestImage,
  name?: string,
  exchange: (name: string, content: Buffer) => Buffer = (_, content) => content,
): Readable {
  const annotations = name === undefined ? {} : { 'io.containerd.image.name': name };
  const manifests = [
    { ...described('application/vnd.oci.image.manifest.v1+json', image.manifest), annotations },
  ];
  const blobs = [image.config, image.manifest, ...image.layers].map((content) => ({
    name: `blobs/sha256/${digestOf(content).slice(7)}`,
    content,
  }));
  return archiveOf([
    ...blobs.map((blob) => ({ ...blob, content: exchange(blob.name, blob.content) })),
    { name: 'index.json', content: json({ schemaVersion: 2, manifests }) },
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
  ]);
}

export function archiveOf(entries: RawEntry[]): Readable {
  return Readable.from([tarOf(entries)]);
}

/** A layout in a directory, as skopeo reads it. */
export function writeLayout(image: TestImage, directory: string): void {
  const blobs = join(directory, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  for (const content of [image.config, image.manifest, ...image.layers])
    writeFileSync(join(blobs, digestOf(content).slice(7)), content);
  const manifests = [
    {
      ...described('application/vnd.oci.image.manifest.v1+json', image.manifest),
      annotations: { 'org.opencontainers.image.ref.name': 'latest' },
    },
  ];
  writeFileSync(join(directory, 'index.json'), json({ schemaVersion: 2, manifests }));
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

function described(mediaType: string, content: Buffer) {
  return { mediaType, digest: digestOf(content), size: content.length };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
