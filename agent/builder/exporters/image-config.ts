/**
 * An image's configuration (OCI config.md) from what the front end says and the layers that there are: `rootfs`,
 * `history` with a time for each entry, `created`. What comes out for the same input is as BuildKit has it
 * (exporter/containerimage/writer.go).
 */
import { invalid } from '../../errors.ts';
import type { HistoryRecord } from '../../images/descriptor.ts';
import { hostPlatform } from '../../images/platform.ts';

export interface ConfigLayer {
  diffId: string;
  /** When the build made it; undefined for a layer of a base image. */
  createdAt?: Date;
}

interface Document extends Record<string, unknown> {
  os?: string;
  architecture?: string;
  created?: string;
  history?: HistoryRecord[] | null;
}

/** Throws invalid for what is no configuration. */
export function completeConfig(
  config: Uint8Array | undefined,
  layers: readonly ConfigLayer[],
  epoch: Date | undefined,
): Buffer {
  const document = config === undefined || config.length === 0 ? emptyConfig() : parse(config);
  if (!document.os) throw invalid('invalid image config for export: missing os');
  if (!document.architecture)
    throw invalid('invalid image config for export: missing architecture');
  const ownFrom = layers.findIndex(({ createdAt }) => createdAt !== undefined);
  const given = accountFor(document.history ?? [], layers);
  const isOfBase = ofBase(given, ownFrom === -1 ? layers.length : ownFrom);
  const history = withTimes(given, layers).map((entry, index) =>
    epoch === undefined || isOfBase[index]
      ? entry
      : { ...entry, created: earlier(entry.created ?? epoch.toISOString(), epoch) },
  );
  const created = document.created ?? history.findLast((entry) => entry.created)?.created;
  return sorted({
    ...document,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history,
    ...(created !== undefined && { created: earlier(created, epoch) }),
  });
}

function parse(config: Uint8Array): Document {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(config).toString());
  } catch (error) {
    throw invalid('invalid image config for export: it is not JSON', error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('invalid image config for export: it is not an object');
  const { history } = value as Document;
  if (history != null && !Array.isArray(history))
    throw invalid('invalid image config for export: its history is not a list');
  return value as Document;
}

/** What a graph without a front end gets. */
function emptyConfig(): Document {
  return {
    ...hostPlatform(),
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      WorkingDir: '/',
    },
  };
}

/** As many entries with a layer as there are layers. */
function accountFor(
  given: readonly HistoryRecord[],
  layers: readonly ConfigLayer[],
): HistoryRecord[] {
  let counted = 0;
  const history = given.map((entry) => {
    if (entry.empty_layer) return entry;
    return ++counted > layers.length ? { ...entry, empty_layer: true } : entry;
  });
  const missing = Array.from({ length: Math.max(0, layers.length - counted) }, () => ({
    created_by: 'created by buildkit',
    comment: 'buildkit.exporter.image.v0',
  }));
  return [...history, ...missing];
}

/**
 * Layers have the time at which they were made. Entries without a layer have that of the layer before them, and those
 * before the build's first layer have its time rather than the base image's.
 */
function withTimes(
  history: readonly HistoryRecord[],
  layers: readonly ConfigLayer[],
): HistoryRecord[] {
  let layer = 0;
  const timed = history.map((entry) => {
    const made = entry.empty_layer ? undefined : layers[layer++]?.createdAt;
    return entry.created || made === undefined ? entry : { ...entry, created: made.toISOString() };
  });
  const firstUntimed = timed.findIndex(({ created }) => !created);
  if (firstUntimed === -1) return timed;
  const next = timed.slice(firstUntimed).find(({ created }) => created);
  let created = (next ?? timed.findLast((entry) => entry.created))?.created;
  return timed.map((entry, index) => {
    if (!entry.created) return created === undefined ? entry : { ...entry, created };
    if (index > firstUntimed) created = entry.created;
    return entry;
  });
}

/** Which entries are the base image's and keep their times: up to its last layer, and those after it that had a time. */
function ofBase(history: readonly HistoryRecord[], baseLayers: number): boolean[] {
  let layer = 0;
  return history.map((entry) => {
    if (!entry.empty_layer) layer++;
    return layer <= baseLayers && Boolean(entry.created);
  });
}

function earlier(time: string, epoch: Date | undefined): string {
  if (epoch === undefined || new Date(time) <= epoch) return time;
  return epoch.toISOString().replace('.000Z', 'Z');
}

/** Keys in one order, so that the same content has the same digest whoever put it together. */
function sorted(document: Document): Buffer {
  const entries = Object.entries(document).sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(JSON.stringify(Object.fromEntries(entries)));
}
