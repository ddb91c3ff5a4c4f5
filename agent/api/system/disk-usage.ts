/** Handler of `docker system df`. */
import type { FastifyRequest } from 'fastify';
import { invalid } from '../../errors.ts';
import { cachedImageConfigs } from '../containers/observe.ts';
import { summaryDocument } from '../containers/summary.ts';
import { imageSummary } from '../images/documents.ts';
import { Query } from '../query.ts';
import { volumeDocument } from '../volumes/handlers.ts';
import type { DiskUsage } from './backend.ts';
import type { SystemSources } from './sources.ts';

const objectTypes = ['container', 'image', 'volume', 'build-cache'];

export async function diskUsage(sources: SystemSources, request: FastifyRequest): Promise<object> {
  const asked = new Query(request).texts('type');
  for (const type of asked) {
    if (!objectTypes.includes(type)) throw invalid(`unknown object type: ${type}`);
  }
  const wants = (type: string) => asked.length === 0 || asked.includes(type);
  const usage = await sources.system.diskUsage();
  return {
    LayersSize: wants('image') ? usage.layersBytes : 0,
    Images: wants('image') ? imageRows(sources, usage) : null,
    Containers: wants('container') ? containerRows(sources, usage) : null,
    Volumes: wants('volume') ? volumeRows(sources, usage) : null,
    BuildCache: wants('build-cache') ? [] : null,
  };
}

function imageRows({ images }: SystemSources, usage: DiskUsage): object[] {
  const byId = new Map(usage.images.map((row) => [row.id, row]));
  return images.list().map((view) => ({
    ...imageSummary(view),
    SharedSize: byId.get(view.id)?.sharedBytes ?? 0,
  }));
}

function containerRows({ containers, images }: SystemSources, usage: DiskUsage): object[] {
  const byId = new Map(usage.containers.map((row) => [row.id, row]));
  const imageConfig = cachedImageConfigs(images);
  const now = new Date();
  return containers.list().map((view) => ({
    ...summaryDocument(view, imageConfig, now),
    SizeRw: byId.get(view.id)?.rwBytes ?? 0,
    SizeRootFs: byId.get(view.id)?.rootFsBytes ?? 0,
  }));
}

function volumeRows({ volumes }: SystemSources, usage: DiskUsage): object[] {
  const byName = new Map(usage.volumes.map((row) => [row.name, row.bytes]));
  return volumes.list().map((view) => volumeDocument(view, byName.get(view.name) ?? 0));
}
