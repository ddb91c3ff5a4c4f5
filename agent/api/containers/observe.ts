/** Handlers that only read: ps, inspect, top, stats, changes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CortenError } from '../../errors.ts';
import type { ExecBackend } from '../exec/backend.ts';
import { readFilters } from '../filters.ts';
import type { ImagesBackend } from '../images/backend.ts';
import { pathPart, Query } from '../query.ts';
import { sendChunks, untilGone } from '../stream-reply.ts';
import type { ContainersBackend, ContainerUsage } from './backend.ts';
import { containerFilter, containerFilterNames } from './container-filters.ts';
import { type ImageConfigLookup, inspectDocument } from './inspect.ts';
import { isUp } from './is-up.ts';
import { emptyStats, type StatsDocument, type StatsSubject, statsDocument } from './stats.ts';
import { summaryDocument } from './summary.ts';

export interface ObserveSources {
  containers: ContainersBackend;
  images: Pick<ImagesBackend, 'inspect'>;
  exec: Pick<ExecBackend, 'idsOf'>;
}

export async function list(
  { containers, images }: ObserveSources,
  request: FastifyRequest,
): Promise<object[]> {
  const query = new Query(request);
  const limit = query.integer('limit') ?? -1;
  const filters = readFilters(request, containerFilterNames);
  const imageConfig = cachedImageConfigs(images);
  const shown = containerFilter(filters, query.flag('all') || limit > 0, {
    inspect: (reference) => containers.inspect(reference),
    images,
    imageConfig,
  });
  const views = containers
    .list()
    .toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime())
    .filter(shown)
    .slice(0, limit > 0 ? limit : undefined);
  const now = new Date();
  return Promise.all(
    views.map(async (view) => ({
      ...summaryDocument(view, imageConfig, now),
      ...(query.flag('size') ? await sizeFields(containers, view.id) : {}),
    })),
  );
}

export async function inspect(
  { containers, images, exec }: ObserveSources,
  request: FastifyRequest,
): Promise<object> {
  const view = containers.inspect(pathPart(request, 'id'));
  const document = inspectDocument(view, cachedImageConfigs(images), exec.idsOf(view.id));
  if (!new Query(request).flag('size')) return document;
  return { ...document, ...(await sizeFields(containers, view.id)) };
}

export async function top(
  { containers }: ObserveSources,
  request: FastifyRequest,
): Promise<object> {
  const psArguments = new Query(request).text('ps_args') ?? '-ef';
  const { titles, processes } = await containers.top(pathPart(request, 'id'), psArguments);
  return { Titles: titles, Processes: processes };
}

const changeKinds = { modified: 0, added: 1, deleted: 2 } as const;

export async function changes(
  { containers }: ObserveSources,
  request: FastifyRequest,
): Promise<object[] | null> {
  const found = await containers.changes(pathPart(request, 'id'));
  return found.map(({ path, kind }) => ({ Path: path, Kind: changeKinds[kind] }));
}

const samplePeriodMs = 1000;

/**
 * Sends one document per second, or with `stream=0` a single one with two samples a second apart, because a
 * percentage needs both; with `one-shot` only one sample.
 */
export async function stats(
  { containers }: ObserveSources,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object | undefined> {
  const { id, name } = containers.inspect(pathPart(request, 'id'));
  const query = new Query(request);
  if (query.flag('stream', true)) {
    const gone = untilGone(reply);
    await sendChunks(reply, statsStream(containers, { id, name }, gone), {
      contentType: 'application/json',
      headersFirst: true,
    });
    return undefined;
  }
  const first = await sample(containers, id);
  if (first === undefined) return emptyStats({ id, name });
  if (query.flag('one-shot')) return statsDocument({ id, name }, first, undefined);
  await sleep(samplePeriodMs);
  const second = await sample(containers, id);
  return second === undefined
    ? emptyStats({ id, name })
    : statsDocument({ id, name }, second, first);
}

/** Yields empty documents while the container is stopped, and ends when it is removed. */
async function* statsStream(
  containers: ContainersBackend,
  subject: StatsSubject,
  gone: AbortSignal,
): AsyncGenerator<string> {
  let previous: ContainerUsage | undefined;
  while (!gone.aborted) {
    if (!exists(containers, subject.id)) return;
    const usage = await sample(containers, subject.id);
    yield line(usage === undefined ? emptyStats(subject) : statsDocument(subject, usage, previous));
    previous = usage;
    await sleep(samplePeriodMs, undefined, { signal: gone }).catch(() => undefined);
  }
}

/** Returns `undefined` when the container does not run. */
async function sample(
  containers: ContainersBackend,
  id: string,
): Promise<ContainerUsage | undefined> {
  try {
    return isUp(containers.inspect(id).state.status) ? await containers.usage(id) : undefined;
  } catch (error) {
    if (error instanceof CortenError && (error.kind === 'conflict' || error.kind === 'not-found'))
      return undefined;
    throw error;
  }
}

function exists(containers: ContainersBackend, id: string): boolean {
  try {
    return containers.inspect(id).state.status !== 'dead';
  } catch {
    // For a full ID inspect fails only when the container is gone.
    return false;
  }
}

function line(document: StatsDocument): string {
  return `${JSON.stringify(document)}\n`;
}

async function sizeFields(
  containers: ContainersBackend,
  id: string,
): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const { rwBytes, rootFsBytes } = await containers.size(id);
  return { SizeRw: rwBytes, SizeRootFs: rootFsBytes };
}

/** Looks up each image once per request; an image that was removed has no configuration. */
export function cachedImageConfigs(images: Pick<ImagesBackend, 'inspect'>): ImageConfigLookup {
  const known = new Map<string, ReturnType<ImageConfigLookup>>();
  return (imageId) => {
    if (!known.has(imageId)) known.set(imageId, configOrNothing(images, imageId));
    return known.get(imageId);
  };
}

function configOrNothing(
  images: Pick<ImagesBackend, 'inspect'>,
  imageId: string,
): ReturnType<ImageConfigLookup> {
  try {
    return images.inspect(imageId).config;
  } catch (error) {
    if (error instanceof CortenError) return undefined;
    throw error;
  }
}
