/**
 * `type=oci` and `type=docker`: an image layout (OCI image-layout.md) on the client's side, as one archive or, with
 * `tar=false`, as a directory. Docker's has the `manifest.json` of `docker load` beside it.
 */
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { invalid } from '../../errors.ts';
import { manifestDocument } from '../../images/built-images.ts';
import { type Descriptor, digestOf, mediaTypes } from '../../images/descriptor.ts';
import { familiar, parseReference } from '../../images/reference.ts';
import { type Assembled, type AssembledImage, assemble } from './assemble.ts';
import type { Exporter, ExportRequest } from './exporter.ts';
import type { LayerParts } from './layers.ts';
import { annotationsAt, flag, type ImageOptions, readImageOptions } from './options.ts';
import { exporting } from './progress.ts';

export interface ArchiveExporterParts extends LayerParts {
  /** A new directory for compressed layers. */
  temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }>;
}

/** A file of the layout. */
interface LayoutFile {
  name: string;
  sizeBytes: number;
  open(): Readable;
}

interface Layout {
  files: LayoutFile[];
  /** What names the whole image. */
  descriptor: Descriptor;
  configDigest: string | undefined;
}

export function archiveExporter(parts: ArchiveExporterParts, kind: 'oci' | 'docker'): Exporter {
  return (request) =>
    exporting(request.job, `exporting to ${kind} image format`, async (progress) => {
      const options = readImageOptions(request.attributes, request.result);
      if (kind === 'docker' && request.result.refs.size > 0)
        throw invalid('docker exporter does not currently support exporting manifest lists');
      const temporary = await parts.temporaryDirectory();
      const assembled = await assemble(parts, request, options, progress);
      try {
        const layout = await layoutOf(parts, request, assembled, options, {
          kind,
          directory: temporary.path,
        });
        const answer = answerOf(layout, options);
        await progress.during('sending tarball', () =>
          flag(request.attributes, 'tar') === false
            ? sendDirectory(request, layout, answer, temporary.path)
            : sendArchive(request, layout, answer),
        );
        return answer;
      } finally {
        assembled.release();
        await temporary.remove();
      }
    });
}

async function layoutOf(
  parts: ArchiveExporterParts,
  { job }: ExportRequest,
  { images, isIndex }: Assembled,
  options: ImageOptions,
  { kind, directory }: { kind: 'oci' | 'docker'; directory: string },
): Promise<Layout> {
  const blobs = new Map<string, LayoutFile>();
  const manifests: Descriptor[] = [];
  let dockerItem: unknown;
  for (const image of images) {
    const layers = await layerBlobs(parts, image, options, directory, job.signal, blobs);
    const { config } = image;
    const made = manifestDocument({ ...image, layers, isDocker: options.usesDockerTypes });
    addDocument(blobs, config);
    addDocument(blobs, made.bytes);
    manifests.push(withAnnotations(made.descriptor, image.descriptorAnnotations));
    dockerItem = {
      Config: blobName(digestOf(config)),
      RepoTags: options.names.map(familiar),
      Layers: layers.map(({ digest }) => blobName(digest)),
    };
  }
  const [first] = manifests;
  if (first === undefined) throw invalid('there is nothing to export');
  const index = isIndex ? indexOf(manifests, options) : undefined;
  if (index !== undefined) addDocument(blobs, index.bytes);
  const descriptor = index?.descriptor ?? first;
  const files = [
    ...[...blobs.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    textFile('index.json', topIndex(descriptor, options)),
    ...(kind === 'docker' ? [textFile('manifest.json', [dockerItem])] : []),
    textFile('oci-layout', { imageLayoutVersion: '1.0.0' }),
  ];
  const [only] = isIndex ? [] : images;
  return { files, descriptor, configDigest: only && digestOf(only.config) };
}

async function layerBlobs(
  { images }: ArchiveExporterParts,
  { diffIds }: AssembledImage,
  { compression }: ImageOptions,
  directory: string,
  signal: AbortSignal,
  blobs: Map<string, LayoutFile>,
): Promise<Descriptor[]> {
  const wanted = {
    directory,
    compression: compression.type ?? ('gzip' as const),
    ...(compression.level !== undefined && { level: compression.level }),
  };
  const found = new Map<string, Descriptor>();
  await Promise.all(
    [...new Set(diffIds)].map(async (diffId) => {
      const { descriptor, open } = await images.layerBlob(diffId, wanted, signal);
      found.set(diffId, descriptor);
      const name = blobName(descriptor.digest);
      blobs.set(descriptor.digest, { name, sizeBytes: descriptor.size, open });
    }),
  );
  return diffIds.flatMap((diffId) => found.get(diffId) ?? []);
}

function addDocument(blobs: Map<string, LayoutFile>, bytes: Buffer): void {
  const digest = digestOf(bytes);
  const open = () => Readable.from([bytes]);
  blobs.set(digest, { name: blobName(digest), sizeBytes: bytes.length, open });
}

function indexOf(manifests: Descriptor[], { annotations, usesDockerTypes }: ImageOptions) {
  const mediaType = usesDockerTypes ? mediaTypes.dockerIndex : mediaTypes.index;
  const own = annotationsAt(annotations, 'index', '');
  const bytes = Buffer.from(
    JSON.stringify(withAnnotations({ schemaVersion: 2, mediaType, manifests }, own)),
  );
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  const ofDescriptor = annotationsAt(annotations, 'index-descriptor', '');
  return { bytes, descriptor: withAnnotations(descriptor, ofDescriptor) };
}

/** The entry point of the layout: one descriptor a name. */
function topIndex(descriptor: Descriptor, { names, epoch }: ImageOptions): unknown {
  const created = (epoch ?? new Date()).toISOString().replace(/\.\d+Z$/, 'Z');
  const named = (names.length === 0 ? [undefined] : names).map((name) =>
    withAnnotations(descriptor, {
      ...descriptor.annotations,
      ...(name !== undefined && {
        'io.containerd.image.name': name,
        'org.opencontainers.image.ref.name': parseReference(name).tag ?? 'latest',
      }),
      'org.opencontainers.image.created': created,
    }),
  );
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests: named };
}

function withAnnotations<T extends object>(value: T, annotations: Record<string, string>): T {
  return Object.keys(annotations).length === 0 ? value : { ...value, annotations };
}

function answerOf({ descriptor, configDigest }: Layout, { names }: ImageOptions) {
  return {
    'containerimage.digest': descriptor.digest,
    ...(configDigest !== undefined && { 'containerimage.config.digest': configDigest }),
    'containerimage.descriptor': Buffer.from(JSON.stringify(descriptor)).toString('base64'),
    ...(names.length > 0 && { 'image.name': names.join(',') }),
  };
}

/** Same content, same archive: nothing in it says when it was made but the index. */
const fixedTime = new Date(0);

async function sendArchive(
  { job, index }: ExportRequest,
  { files }: Layout,
  answer: Record<string, string>,
): Promise<void> {
  const target = await job.client.saveFile(index, answer);
  const archive = pack();
  const filling = (async () => {
    for (const name of ['blobs/', 'blobs/sha256/'])
      archive.entry({ name, type: 'directory', mode: 0o755, mtime: fixedTime });
    for (const { name, sizeBytes, open } of files) {
      const entry = archive.entry({ name, size: sizeBytes, mode: 0o644, mtime: fixedTime });
      await pipeline(open(), entry);
    }
    archive.finalize();
  })();
  filling.catch((error) => archive.destroy(error));
  await pipeline(archive, target, { signal: job.signal });
  await filling;
}

async function sendDirectory(
  { job, index }: ExportRequest,
  { files }: Layout,
  answer: Record<string, string>,
  temporary: string,
): Promise<void> {
  const root = join(temporary, 'layout');
  mkdirSync(join(root, 'blobs/sha256'), { recursive: true });
  for (const { name, open } of files)
    await pipeline(open(), createWriteStream(join(root, name)), { signal: job.signal });
  await job.client.saveDirectory(index, root, answer);
}

const blobName = (digest: string) => `blobs/${digest.replace(':', '/')}`;

function textFile(name: string, value: unknown): LayoutFile {
  const bytes = Buffer.from(JSON.stringify(value));
  return { name, sizeBytes: bytes.length, open: () => Readable.from([bytes]) };
}
