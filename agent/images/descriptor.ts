/**
 * Parses manifests, indexes and configurations (OCI image-spec: descriptor.md, manifest.md, image-index.md,
 * config.md; Docker's "image manifest v2, schema 2"). The documents are untrusted, so each field is checked before it
 * is used.
 */
import { createHash } from 'node:crypto';
import type { ImageConfig } from '../contract/image.ts';
import { invalid } from '../errors.ts';
import { checkedConfig } from './image-config.ts';
import { isDigest } from './reference.ts';

export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
  platform?: Platform;
}

export interface Manifest {
  mediaType: string;
  config: Descriptor;
  layers: Descriptor[];
  annotations?: Record<string, string>;
}

export interface ImageDocument {
  architecture: string;
  os: string;
  variant?: string;
  created?: string;
  author?: string;
  comment?: string;
  config: ImageConfig;
  diffIds: string[];
  history: HistoryRecord[];
}

export interface HistoryRecord {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const;

/** Largest manifest that the distribution registry accepts (4 MiB); a configuration has the same limit. */
export const maxDocumentBytes = 4 * 1024 * 1024;
const maxLayers = 4096;

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Hexadecimal part of a digest, which is the name of its file. */
export function hexOf(digest: string): string {
  if (!isDigest(digest)) throw invalid(`${JSON.stringify(digest)} is not a sha256 digest`);
  return digest.slice('sha256:'.length);
}

export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.index || mediaType === mediaTypes.dockerIndex;
}

/** Parses an index or a manifest, as its fields tell. Throws invalid. */
export function parseManifest(
  bytes: Uint8Array,
  servedType: string | undefined,
): { index: Descriptor[] } | { manifest: Manifest } {
  const document = parseObject(bytes, 'image manifest');
  if (document.schemaVersion === 1)
    throw invalid(
      'the image has a manifest of schema 1, which Docker itself no longer reads: have it pushed again by a current tool',
    );
  // A document that is both can give one digest two meanings (CVE-2021-41190).
  if (Array.isArray(document.manifests) && Array.isArray(document.layers))
    throw invalid('the image manifest is ambiguous: it holds both manifests and layers');
  if (Array.isArray(document.manifests))
    return { index: document.manifests.map((item) => parseDescriptor(item)) };
  if (!Array.isArray(document.layers)) throw invalid('the image manifest holds no layers');
  if (document.layers.length > maxLayers)
    throw invalid(
      `the image manifest lists ${document.layers.length} layers, more than ${maxLayers}`,
    );
  const config = parseDescriptor(document.config);
  if (config.mediaType !== mediaTypes.config && config.mediaType !== mediaTypes.dockerConfig)
    throw invalid(`this is not a container image but ${JSON.stringify(config.mediaType)}`);
  return {
    manifest: {
      mediaType: text(document.mediaType) ?? servedType ?? mediaTypes.manifest,
      config,
      layers: document.layers.map((item) => parseDescriptor(item)),
      ...(isObject(document.annotations) && { annotations: strings(document.annotations) }),
    },
  };
}

export function parseDescriptor(value: unknown): Descriptor {
  if (!isObject(value)) throw invalid('the image manifest holds a descriptor that is no object');
  const { mediaType, digest, size, annotations, platform } = value;
  if (typeof mediaType !== 'string') throw invalid('a descriptor has no media type');
  if (typeof digest !== 'string' || !isDigest(digest))
    throw invalid(`a descriptor's digest is not sha256:…: ${JSON.stringify(digest)}`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid(`a descriptor's size is not a number of bytes: ${JSON.stringify(size)}`);
  return {
    mediaType,
    digest,
    size,
    ...(isObject(annotations) && { annotations: strings(annotations) }),
    ...(isObject(platform) && { platform: parsePlatformObject(platform) }),
  };
}

export function parseImageDocument(bytes: Uint8Array): ImageDocument {
  const document = parseObject(bytes, 'image configuration');
  const rootfs = isObject(document.rootfs) ? document.rootfs : {};
  const diffIds = Array.isArray(rootfs.diff_ids) ? rootfs.diff_ids : [];
  for (const id of diffIds)
    if (typeof id !== 'string' || !isDigest(id))
      throw invalid(`the image configuration's layer id is not sha256:…: ${JSON.stringify(id)}`);
  return {
    architecture: text(document.architecture) ?? '',
    os: text(document.os) ?? '',
    variant: text(document.variant),
    created: text(document.created),
    author: text(document.author),
    comment: text(document.comment),
    config: isObject(document.config) ? checkedConfig(document.config) : {},
    diffIds,
    history: Array.isArray(document.history) ? document.history.filter(isObject) : [],
  };
}

export function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw invalid(`the ${what} is not JSON`, error);
  }
  if (!isObject(value)) throw invalid(`the ${what} is not a JSON object`);
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsePlatformObject(value: Record<string, unknown>): Platform {
  return {
    os: text(value.os) ?? '',
    architecture: text(value.architecture) ?? '',
    variant: text(value.variant),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function strings(value: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}
