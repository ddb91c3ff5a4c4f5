/** Handlers of the image routes. */
import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CortenError, invalid } from '../../errors.ts';
import { readFilters } from '../filters.ts';
import { readJson, readOptionalJson } from '../json-body.ts';
import { sendProgress } from '../progress.ts';
import { Query } from '../query.ts';
import { untilGone } from '../stream-reply.ts';
import type { ImagesBackend } from './backend.ts';
import { commitConfig } from './commit-config.ts';
import { deleteDocuments, historyDocument, imageDocument, imageSummary } from './documents.ts';
import { imageFilter, imageFilterNames, withMatchingNames } from './image-filters.ts';
import { readCredentials, readRegistryAuth } from './registry-auth.ts';

export async function list(images: ImagesBackend, request: FastifyRequest): Promise<object[]> {
  const filters = readFilters(request, imageFilterNames);
  return images
    .list()
    .filter(imageFilter(filters, images, new Date()))
    .toSorted((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0))
    .map((view) => imageSummary(withMatchingNames(view, filters)));
}

export function inspect(images: ImagesBackend, name: string): object {
  return imageDocument(images.inspect(name));
}

export function history(images: ImagesBackend, name: string): object[] {
  return images.history(name).map(historyDocument);
}

/** Pulls with `fromImage`, or imports a root file system with `fromSrc=-`. */
export async function create(
  images: ImagesBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const query = new Query(request);
  if (query.text('fromImage') !== undefined) return pull(images, request, reply);
  const source = query.text('fromSrc');
  if (source === undefined) throw invalid('bad parameter: give fromImage or fromSrc');
  if (source !== '-')
    throw new CortenError(
      'not-implemented',
      'importing from a URL is not supported: download the archive and send it (docker import FILE)',
    );
  const progress = images.importRoot({
    archive: request.raw,
    repository: query.text('repo'),
    tag: query.text('tag'),
    changes: query.texts('changes'),
    message: query.text('message'),
  });
  return sendProgress(reply, progress);
}

async function pull(
  images: ImagesBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const query = new Query(request);
  const name = query.required('fromImage');
  const tag = query.text('tag');
  const reference = tag === undefined ? name : withTag(name, tag);
  const progress = images.pull({
    reference,
    // A reference without a tag means all tags (moby api/server/router/image postImagesCreate).
    allTags: !hasTag(reference),
    platform: query.text('platform'),
    credentials: readRegistryAuth(request),
    signal: untilGone(reply),
  });
  return sendProgress(reply, progress);
}

export async function push(
  images: ImagesBackend,
  name: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const tag = new Query(request).text('tag');
  const progress = images.push({
    reference: tag === undefined ? name : withTag(name, tag),
    credentials: readRegistryAuth(request),
    signal: untilGone(reply),
  });
  return sendProgress(reply, progress);
}

export async function tag(
  images: ImagesBackend,
  name: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<string> {
  const query = new Query(request);
  const repository = query.required('repo');
  await images.tag(name, `${repository}:${query.text('tag') ?? 'latest'}`);
  reply.code(201);
  return '';
}

export async function remove(
  images: ImagesBackend,
  name: string,
  request: FastifyRequest,
): Promise<object[]> {
  const query = new Query(request);
  const options = { force: query.flag('force'), prune: !query.flag('noprune') };
  return deleteDocuments(await images.remove(name, options));
}

export async function load(
  images: ImagesBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  return sendProgress(reply, images.load(request.raw));
}

export async function save(
  images: ImagesBackend,
  names: readonly string[],
  reply: FastifyReply,
): Promise<Readable> {
  if (names.length === 0) throw invalid('bad parameter: name at least one image to save');
  const archive = await images.save([...names]);
  reply.type('application/x-tar');
  return archive;
}

/** With `dangling=true`, which is the default, images with a name stay. */
export async function prune(images: ImagesBackend, request: FastifyRequest): Promise<object> {
  const filters = readFilters(request, ['dangling', 'label', 'label!', 'until']);
  const removed = await images.prune({
    danglingOnly: filters.flag('dangling') ?? true,
    until: filters.until(new Date()),
    labels: filters.labels(),
  });
  const documents = deleteDocuments(removed);
  return {
    ImagesDeleted: documents.length === 0 ? null : documents,
    SpaceReclaimed: removed.reclaimedBytes,
  };
}

export async function commit(
  images: ImagesBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object> {
  const query = new Query(request);
  const config = commitConfig(await readOptionalJson(request));
  const id = await images.commit({
    container: query.required('container'),
    repository: query.text('repo'),
    tag: query.text('tag'),
    author: query.text('author'),
    comment: query.text('comment'),
    // The CLI repeats the parameter, while older SDKs send one with several lines.
    changes: query.texts('changes').flatMap((text) => text.split('\n').filter(Boolean)),
    pause: query.flag('pause', true),
    ...(config !== undefined && { config }),
  });
  reply.code(201);
  return { Id: id };
}

export async function login(images: ImagesBackend, request: FastifyRequest): Promise<object> {
  const { identityToken } = await images.login(readCredentials(await readJson(request)));
  return { Status: 'Login Succeeded', IdentityToken: identityToken ?? '' };
}

function withTag(name: string, tag: string): string {
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`;
}

/** Whether a tag is present: the colon of a registry's port comes before a slash, that of a tag after the last one. */
function hasTag(reference: string): boolean {
  return /[:@][^/]*$/.test(reference);
}
