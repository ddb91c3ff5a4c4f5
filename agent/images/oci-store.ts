/** Opens the image store on disk; each of its functions is in a file of its own. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { notFound } from '../errors.ts';
import { BlobStore } from './blobs.ts';
import { fetchForBuild, localForBuild, resolveForBuild } from './build-images.ts';
import { addImage, addLayer } from './built-images.ts';
import { Catalog, withName, withoutName } from './catalog.ts';
import { commitLayer } from './commit-layer.ts';
import type { Platform } from './descriptor.ts';
import { Fetches } from './fetches.ts';
import { Images } from './images.ts';
import { layerBlob } from './layer-blobs.ts';
import { defaultLimits, type UnpackLimits } from './layer-limits.ts';
import { LayerStore } from './layers.ts';
import { Leases } from './leases.ts';
import { loadImages } from './load.ts';
import { hostPlatform } from './platform.ts';
import { reportedBy } from './progress.ts';
import { pullImages } from './pull.ts';
import { pushImages } from './push.ts';
import { fullTag, parseTagged } from './reference.ts';
import { login } from './registry/login.ts';
import { removeImage } from './remove-image.ts';
import { saveImages } from './save.ts';
import type { OpenImageStore } from './store.ts';
import type { StoreParts } from './store-parts.ts';
import { UnpackPool } from './unpack-pool.ts';

export interface ImageStoreOptions {
  /** Directory `images/` of the state root; created when missing. */
  root: string;
  /** Addresses of mirrors of docker.io. */
  registryMirrors?: string[];
  /** Domains with port that may use plain HTTP or any certificate. Loopback addresses always may. */
  insecureRegistries?: string[];
  /** Platform to choose from multi-platform images; this machine's by default. */
  platform?: Platform;
  limits?: Partial<UnpackLimits>;
}

/** Opens or creates the store. Layers that are missing beside their blobs are unpacked again. */
export async function openImageStore(options: ImageStoreOptions): Promise<OpenImageStore> {
  const { root } = options;
  // Mode 0700, because images contain set-user-ID programs that users of the machine must not reach (CVE-2021-41091).
  await mkdir(root, { recursive: true, mode: 0o700 });
  const layersDirectory = join(root, 'layers');
  await mkdir(layersDirectory, { recursive: true, mode: 0o700 });
  const blobs = new BlobStore(root);
  await blobs.makeDirectories();
  const pool = new UnpackPool();
  const layers = new LayerStore(layersDirectory, pool, { ...defaultLimits, ...options.limits });
  const catalog = await Catalog.open(root);
  const platform = options.platform ?? hostPlatform();
  const leases = new Leases(join(root, 'kept.json'));
  const parts: StoreParts = {
    root,
    blobs,
    layers,
    catalog,
    images: new Images({ catalog, blobs, layers, leases, platform }),
    leases,
    fetches: new Fetches(),
    pool,
    registry: {
      registryMirrors: options.registryMirrors ?? [],
      insecureRegistries: options.insecureRegistries ?? [],
    },
    platform,
  };
  await unpackMissing(parts);
  return storeOf(parts);
}

function storeOf(parts: StoreParts): OpenImageStore {
  const { images, catalog, blobs, layers, leases, pool } = parts;
  const known = (reference: string) => {
    const image = images.find(reference);
    if (image === undefined) throw notFound(`No such image: ${reference}`);
    return image;
  };
  return {
    list: () => images.all().map((image) => images.view(image)),
    find(reference) {
      const image = images.find(reference);
      return image === undefined ? undefined : images.view(image);
    },
    history: (reference) => images.history(known(reference)),
    pull: (request) =>
      reportedBy((report, signal) => pullImages(parts, request, report, signal), request.signal),
    push: (request) =>
      reportedBy((report, signal) => pushImages(parts, request, report, signal), request.signal),
    login: (credentials) => login(credentials, parts.registry),
    async tag(id, name) {
      const [entry] = known(id).entries;
      const full = fullTag(parseTagged(name));
      if (entry === undefined) throw notFound(`No such image: ${id}`);
      await catalog.update((entries) =>
        withName(entries, entry.manifest, { name: full, now: new Date() }),
      );
    },
    async untag(name) {
      const full = fullTag(parseTagged(name));
      if (!catalog.entries.some((entry) => entry.name === full))
        throw notFound(`No such image: ${name}`);
      await catalog.update((entries) => withoutName(entries, full));
    },
    delete: async (id) => removeImage(parts, known(id).id),
    load: (archive) => reportedBy((report, signal) => loadImages(parts, archive, report, signal)),
    save: async (references) => saveImages(parts, references),
    commitLayer: (request) => commitLayer(parts, request),
    addLayer: (addition) => addLayer(parts, addition),
    addImage: (addition) => addImage(parts, addition),
    localForBuild: (request) => localForBuild(parts, request),
    resolveForBuild: (request) => resolveForBuild(parts, request),
    fetchForBuild: (request, report, done) => fetchForBuild(parts, request, report, done),
    layerDirectory: (diffId) => (layers.isWhole(diffId) ? layers.pathOf(diffId) : undefined),
    hold: (digests) => leases.hold(digests),
    layerBlob: (diffId, wanted, signal) => layerBlob(parts, diffId, wanted, signal),
    keep: (owner, digests) => leases.keep(owner, digests),
    layerSizes: () => layers.sizes(),
    async sweep() {
      const used = images.used();
      const isUsed = (digest: string) => used.has(digest) || leases.has(digest);
      await blobs.sweep(isUsed);
      await layers.sweep(isUsed);
    },
    close: () => pool.close(),
  };
}

async function unpackMissing({ images, blobs, layers }: StoreParts): Promise<void> {
  for (const { manifest, document } of images.all()) {
    for (const [index, { digest }] of manifest.layers.entries()) {
      const diffId = document.diffIds[index];
      if (diffId === undefined || layers.isWhole(diffId) || !blobs.has(digest)) continue;
      await layers.unpack(diffId, blobs.pathOf(digest));
    }
  }
}
