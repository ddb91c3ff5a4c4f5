/** Images from a build's result: layers in the store and a whole configuration for each platform. */
import { invalid } from '../../errors.ts';
import type { Platform as ImagePlatform } from '../../images/descriptor.ts';
import { hostPlatform } from '../../images/platform.ts';
import type { Platform } from '../llb/ops.ts';
import { type PlatformResult, platformResults } from '../result.ts';
import { scratch } from '../snapshots/snapshot.ts';
import type { ExportRequest } from './exporter.ts';
import { completeConfig } from './image-config.ts';
import { exportLayers, type LayerParts } from './layers.ts';
import { annotationsAt, type ImageOptions, nanosOf } from './options.ts';
import type { ExportProgress } from './progress.ts';

export interface AssembledImage {
  config: Buffer;
  diffIds: string[];
  platform: ImagePlatform;
  annotations: Record<string, string>;
  descriptorAnnotations: Record<string, string>;
}

export interface Assembled {
  images: AssembledImage[];
  /** Several platforms were asked for: the images have an index. */
  isIndex: boolean;
  /** Until then nothing removes the layers. */
  release(): void;
}

/** Throws invalid for annotations that fit nothing. */
export async function assemble(
  parts: LayerParts,
  { result, job }: ExportRequest,
  options: ImageOptions,
  progress: ExportProgress,
): Promise<Assembled> {
  const isIndex = result.refs.size > 0;
  if (!isIndex && options.annotations.some(({ place }) => place.startsWith('index')))
    throw invalid('index annotations not supported for single platform export');
  const releases: (() => void)[] = [];
  const release = () => {
    for (const end of releases.splice(0)) end();
  };
  try {
    const images = await progress.during('exporting layers', async () => {
      const done: AssembledImage[] = [];
      for (const each of platformResults(result)) {
        const latestNanos =
          options.rewritesTimestamps && options.epoch ? nanosOf(options.epoch) : undefined;
        const snapshot = (await each.ref?.snapshot()) ?? scratch;
        const exported = await exportLayers(parts, snapshot, { latestNanos, signal: job.signal });
        releases.push(exported.release);
        done.push(imageOf(each, exported.layers, options));
      }
      return done;
    });
    return { images, isIndex, release };
  } catch (error) {
    release();
    throw error;
  }
}

function imageOf(
  { config, platform, key }: PlatformResult,
  layers: Parameters<typeof completeConfig>[1],
  options: ImageOptions,
): AssembledImage {
  const complete = completeConfig(config, layers, options.epoch);
  const { annotations } = options;
  return {
    config: complete,
    diffIds: layers.map(({ diffId }) => diffId),
    platform: platformOf(platform) ?? platformIn(complete),
    annotations: annotationsAt(annotations, 'manifest', key),
    descriptorAnnotations: annotationsAt(annotations, 'manifest-descriptor', key),
  };
}

function platformOf(platform: Platform | undefined): ImagePlatform | undefined {
  if (platform === undefined) return undefined;
  const { OS: os, Architecture: architecture, Variant: variant } = platform;
  return { os, architecture, ...(variant !== '' && { variant }) };
}

function platformIn(config: Buffer): ImagePlatform {
  const { os, architecture, variant } = {
    ...hostPlatform(),
    ...(JSON.parse(config.toString()) as Partial<ImagePlatform>),
  };
  return { os, architecture, ...(variant && { variant }) };
}
