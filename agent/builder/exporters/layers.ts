/** The layers of results become layers of the image store. */
import type { BuildImages } from '../../images/store.ts';
import type { Layer, Snapshot, SnapshotStore } from '../snapshots/snapshot.ts';
import type { ConfigLayer } from './image-config.ts';

export interface LayerParts {
  images: BuildImages;
  snapshots: SnapshotStore;
  /** Tells the image store which layers the cache keeps, after some were taken over. */
  keep(): Promise<void>;
}

export interface ExportedLayers {
  /** The bottom first. */
  layers: ConfigLayer[];
  /** Until then nothing removes the layers. */
  release(): void;
}

/** Exports that are under way, by layer: two builds with the same layer export it once. */
const underWay = new WeakMap<Layer, Promise<unknown>>();

/** `latestNanos`: files of the build's own layers get no later time. */
export async function exportLayers(
  parts: LayerParts,
  snapshot: Snapshot,
  { latestNanos, signal }: { latestNanos: bigint | undefined; signal: AbortSignal },
): Promise<ExportedLayers> {
  const releases = [parts.snapshots.hold(snapshot)];
  const release = () => {
    for (const end of releases.splice(0)) end();
  };
  const exported = await Promise.allSettled(
    snapshot.layers.map(async (layer): Promise<ConfigLayer> => {
      const { createdAt } = layer;
      const added = await exportLayer(parts, layer, latestNanos, signal);
      releases.push(added.release);
      return { diffId: added.diffId, ...(createdAt && { createdAt }) };
    }),
  );
  const failed = exported.find((each) => each.status === 'rejected');
  if (failed !== undefined) {
    release();
    throw failed.reason;
  }
  await parts.keep();
  return { layers: exported.flatMap((each) => ('value' in each ? [each.value] : [])), release };
}

async function exportLayer(
  { images, snapshots }: LayerParts,
  layer: Layer,
  latestNanos: bigint | undefined,
  signal: AbortSignal,
): Promise<{ diffId: string; release(): void }> {
  await underWay.get(layer)?.catch(() => {});
  const { diffId, createdAt, directory } = layer;
  const isRewritten = latestNanos !== undefined && createdAt !== undefined;
  if (diffId !== undefined && !isRewritten) {
    const release = images.hold([diffId]);
    if (images.layerDirectory(diffId) !== undefined) return { diffId, release };
    release();
  }
  // Only a step's layer is the builder's own; others belong to a client's copy or another image.
  const isCopied = createdAt === undefined;
  const work = images.addLayer({
    directory,
    isCopied,
    signal,
    ...(isRewritten && { latestNanos }),
  });
  if (isRewritten || isCopied) return work;
  const taken = work.then(async (added) => {
    await snapshots.adopted(layer, added.diffId, added.directory);
    return added;
  });
  underWay.set(layer, taken);
  return taken;
}
