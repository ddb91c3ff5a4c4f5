/** Filters of `docker images` (moby daemon/images/images.go). */
import { matchesGlob } from 'node:path';
import type { ImageView } from '../../contract/image.ts';
import { type Filters, labelsMatch } from '../filters.ts';
import type { ImagesBackend } from './backend.ts';

export const imageFilterNames = [
  'before',
  'dangling',
  'label',
  'label!',
  'reference',
  'since',
  'until',
];

export function imageFilter(
  filters: Filters,
  images: Pick<ImagesBackend, 'inspect'>,
  now: Date,
): (view: ImageView) => boolean {
  const dangling = filters.flag('dangling');
  const labels = filters.labels();
  const until = filters.until(now);
  const bound = (name: string) =>
    filters.get(name).map((reference) => createdMs(images.inspect(reference)));
  const [before, since] = [bound('before'), bound('since')];
  return (view) =>
    (dangling === undefined || dangling === (view.tags.length === 0)) &&
    labelsMatch(view.config.Labels ?? {}, labels) &&
    (until === undefined || createdMs(view) < until.getTime()) &&
    before.every((time) => createdMs(view) < time) &&
    since.every((time) => createdMs(view) > time) &&
    filters.some('reference', (pattern) => hasReference(view, pattern));
}

function createdMs({ createdAt }: ImageView): number {
  return createdAt?.getTime() ?? 0;
}

function hasReference(view: ImageView, pattern: string): boolean {
  return [...view.tags, ...view.repoDigests].some((name) => matchesReference(name, pattern));
}

/** Keeps only the names that match a reference filter, as dockerd does. */
export function withMatchingNames(view: ImageView, filters: Filters): ImageView {
  const patterns = filters.get('reference');
  if (patterns.length === 0) return view;
  const matches = (name: string) => patterns.some((pattern) => matchesReference(name, pattern));
  return {
    ...view,
    tags: view.tags.filter(matches),
    repoDigests: view.repoDigests.filter(matches),
  };
}

/** Matches a shell pattern with the name, with or without its tag (distribution reference.FamiliarMatch). */
function matchesReference(name: string, pattern: string): boolean {
  return matchesGlob(name, pattern) || matchesGlob(withoutTag(name), pattern);
}

function withoutTag(name: string): string {
  return name.replace(/(@sha256:[0-9a-f]+|:[^:/]+)$/, '');
}
