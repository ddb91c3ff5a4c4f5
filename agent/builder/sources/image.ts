/**
 * `docker-image://`: an image that is here, or one of a registry. What a build is based on is fetched without a name and
 * kept by the cache, so that it does not appear among the user's images and needs no second download.
 */
import { createHash } from 'node:crypto';
import type { Progress } from '../../contract/image.ts';
import { notFound } from '../../errors.ts';
import { platformText } from '../../images/platform.ts';
import { parseReference } from '../../images/reference.ts';
import type { BuildImage, BuildImages } from '../../images/store.ts';
import type { Platform } from '../llb/ops.ts';
import type { BuildCache } from '../snapshots/build-cache.ts';
import type { Snapshot } from '../snapshots/snapshot.ts';
import type { Job } from '../solver/job.ts';
import type { ResolvedImage, ResolveImageRequest } from '../solver/solver.ts';
import type { FoundSource, SourceRequest } from './source.ts';

type Mode = ResolveImageRequest['mode'];
type Images = Pick<BuildImages, 'localForBuild' | 'resolveForBuild' | 'fetchForBuild'>;

export class ImageSource {
  readonly #images: Images;
  readonly #cache: BuildCache;
  /** A registry is asked once a build, so that all stages of the build are based on the same image. */
  readonly #resolved = new WeakMap<Job, Map<string, Promise<BuildImage>>>();

  constructor(images: Images, cache: BuildCache) {
    this.#images = images;
    this.#cache = cache;
  }

  /** See {@link Solver.resolveImage}. */
  async resolve(job: Job, request: ResolveImageRequest): Promise<ResolvedImage> {
    const { reference, platform, mode, logName } = request;
    const image = await told(job, logName, () => this.#resolve(job, { reference, platform, mode }));
    return { digest: image.servedDigest, config: image.config, reference: image.reference };
  }

  /** The source operation; its failures are those of a pull. */
  find = async ({ job, digest, source, platform, signal }: SourceRequest): Promise<FoundSource> => {
    const reference = source.identifier.replace(/^docker-image:\/\//, '');
    const mode = modes[source.attrs['image.resolvemode'] ?? ''] ?? 'default';
    const request = { reference, platform: platform ?? this.#ownPlatform(), mode };
    const image = await this.#resolve(job, request);
    const here = this.#snapshotOf(image);
    return {
      identity: image.digest,
      state: here === undefined ? 'remote' : 'cached',
      snapshot: async () => here ?? this.#fetch(job, { ...request, vertex: digest, signal }),
    };
  };

  async #fetch(
    job: Job,
    request: { reference: string; platform: Platform; vertex: string; signal: AbortSignal },
  ): Promise<Snapshot> {
    const { reference, platform, vertex, signal } = request;
    const credentials = await credentialsFor(job, reference);
    let fetched: BuildImage | undefined;
    await this.#images.fetchForBuild(
      { reference, platform: textOf(platform), signal, ...(credentials && { credentials }) },
      (line) => tellDownload(job, vertex, line),
      async (image) => {
        fetched = image;
        await this.#cache.addImage(image);
      },
    );
    const tree = fetched && this.#snapshotOf(fetched);
    if (tree === undefined) throw notFound(`the layers of ${reference} are gone again`);
    return tree;
  }

  #resolve(
    job: Job,
    { reference, platform, mode }: { reference: string; platform: Platform; mode: Mode },
  ): Promise<BuildImage> {
    const known = this.#resolved.get(job) ?? new Map<string, Promise<BuildImage>>();
    this.#resolved.set(job, known);
    const key = JSON.stringify([reference, textOf(platform), mode === 'pull']);
    const resolved = known.get(key) ?? this.#resolveNow(job, reference, platform, mode);
    known.set(key, resolved);
    return resolved;
  }

  async #resolveNow(
    job: Job,
    reference: string,
    platform: Platform,
    mode: Mode,
  ): Promise<BuildImage> {
    const text = textOf(platform);
    // A digest names the same content everywhere.
    const hasDigest = /@sha256:[0-9a-f]{64}$/.test(reference);
    if (mode !== 'pull' || hasDigest) {
      const local = this.#images.localForBuild({ reference, platform: text });
      if (local !== undefined) return local;
    }
    if (mode === 'local') throw notFound(`No such image: ${reference}`);
    const credentials = await credentialsFor(job, reference);
    return this.#images.resolveForBuild({
      reference,
      platform: text,
      signal: job.signal,
      ...(credentials && { credentials }),
    });
  }

  /** Undefined unless all layers are here. */
  #snapshotOf({ layers }: BuildImage): Snapshot | undefined {
    const found = layers.map(({ diffId }) => this.#cache.snapshots.layer(diffId));
    return found.every((layer) => layer !== undefined) ? { layers: found } : undefined;
  }

  #ownPlatform(): Platform {
    const architecture = { x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch;
    return {
      $typeName: 'pb.Platform',
      OS: 'linux',
      Architecture: architecture,
      Variant: '',
      OSVersion: '',
      OSFeatures: [],
    };
  }
}

const modes: Record<string, Mode> = { pull: 'pull', local: 'local', default: 'default' };

const textOf = ({ OS, Architecture, Variant }: Platform): string =>
  platformText({ os: OS, architecture: Architecture, ...(Variant !== '' && { variant: Variant }) });

const credentialsFor = (job: Job, reference: string) =>
  job.client.credentials(parseReference(reference).domain);

/** As a vertex of its own, which no graph has. */
async function told<T>(job: Job, name: string | undefined, work: () => Promise<T>): Promise<T> {
  if (name === undefined) return work();
  const digest = `sha256:${createHash('sha256').update(`resolve ${name}`).digest('hex')}`;
  const vertex = { digest, name, inputs: [], cached: false, started: new Date() };
  job.progress.vertex(vertex);
  try {
    const result = await work();
    job.progress.vertex({ ...vertex, completed: new Date() });
    return result;
  } catch (error) {
    job.progress.vertex({ ...vertex, completed: new Date(), error: (error as Error).message });
    throw error;
  }
}

/** One line of a pull, as the status of a layer. */
function tellDownload(
  job: Job,
  vertex: string,
  { id, status = '', currentBytes = 0, totalBytes = 0 }: Progress,
): void {
  if (id === undefined) return;
  const isComplete = /^(Pull complete|Already exists)/.test(status);
  job.progress.status({
    id,
    vertex,
    name: id,
    current: currentBytes,
    total: totalBytes,
    started: new Date(),
    ...(isComplete && { completed: new Date() }),
  });
}
