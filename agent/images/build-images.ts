/**
 * Images as builds use them: resolved without their layers, and fetched without a name, so that what a build is based on
 * does not appear among the user's images.
 */
import { notFound } from '../errors.ts';
import { parsePlatform, platformText } from './platform.ts';
import type { Report } from './progress.ts';
import { contentOf, fetchContent, type RemoteImage, resolveImage } from './pull.ts';
import { fullName, parseTagged } from './reference.ts';
import { Repository } from './registry/repository.ts';
import type { BuildImage, BuildImageRequest } from './store.ts';
import type { StoreParts } from './store-parts.ts';

/** Asks the registry. Throws not-found, unauthorized and what else a pull throws. */
export async function resolveForBuild(
  parts: StoreParts,
  request: BuildImageRequest,
): Promise<BuildImage> {
  const { image, reference } = await remoteImage(parts, request);
  return buildImage(parts, image, reference);
}

/** Fetches what is missing. The caller keeps `content` before `done` has resolved. */
export async function fetchForBuild(
  parts: StoreParts,
  request: BuildImageRequest,
  report: Report,
  done: (image: BuildImage) => Promise<void>,
): Promise<void> {
  const { image, reference, repository } = await remoteImage(parts, request);
  await fetchContent(parts, { repository, image, report, signal: request.signal }, () =>
    done(buildImage(parts, image, reference)),
  );
}

/** An image that is here. Undefined when it is not, or is for another platform. */
export function localForBuild(
  parts: StoreParts,
  { reference, platform }: Pick<BuildImageRequest, 'reference' | 'platform'>,
): BuildImage | undefined {
  const found = parts.images.find(reference);
  const wanted = platform === undefined ? parts.platform : parsePlatform(platform);
  if (found === undefined) return undefined;
  const { manifest, document, entries } = found;
  if (document.os !== wanted.os || document.architecture !== wanted.architecture) return undefined;
  if (wanted.variant !== undefined && (document.variant ?? wanted.variant) !== wanted.variant)
    return undefined;
  const digest = entries[0]?.manifest.digest;
  if (digest === undefined) throw notFound(`No such image: ${reference}`);
  return {
    digest,
    servedDigest: digest,
    reference: `${fullReference(reference)}@${digest}`,
    config: parts.blobs.readDocument(manifest.config.digest),
    layers: layersOf(parts, document.diffIds),
    content: [
      digest,
      manifest.config.digest,
      ...manifest.layers.map((layer) => layer.digest),
      ...document.diffIds,
    ],
  };
}

async function remoteImage(parts: StoreParts, request: BuildImageRequest) {
  const { signal, credentials, platform = platformText(parts.platform) } = request;
  const reference = parseTagged(request.reference);
  const repository = await Repository.open(reference, parts.registry, credentials, signal);
  const served = await repository.manifest(reference.digest ?? reference.tag ?? 'latest', signal);
  const image = await resolveImage(repository, served, parsePlatform(platform), signal);
  return { image, repository, reference: fullReference(request.reference) };
}

function buildImage(parts: StoreParts, image: RemoteImage, reference: string): BuildImage {
  return {
    digest: image.manifestDescriptor.digest,
    servedDigest: image.served.digest,
    reference: `${reference}@${image.served.digest}`,
    config: image.config,
    layers: layersOf(parts, image.document.diffIds),
    content: contentOf(image),
  };
}

const layersOf = ({ layers }: StoreParts, diffIds: readonly string[]) =>
  diffIds.map((diffId) => ({ diffId, directory: layers.pathOf(diffId) }));

/** With registry and tag, without a digest. An id has no name. */
function fullReference(text: string): string {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(text)) return text;
  const reference = parseTagged(text);
  return `${fullName(reference)}${reference.tag === undefined ? '' : `:${reference.tag}`}`;
}
