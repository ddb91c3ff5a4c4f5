import type { ImageInspect, ImageSummary } from '../../agent/contract/docker.ts';
import { getJson, query, remove, streamJson } from './engine.ts';

export type { ImageSummary };

export function listImages(): Promise<ImageSummary[]> {
  return getJson('/images/json');
}

export function inspectImage(reference: string): Promise<ImageInspect> {
  return getJson(`/images/${reference}/json`);
}

export function removeImage(reference: string): Promise<void> {
  return remove(`/images/${reference}`);
}

/** One line of a pull's progress (the Engine API's JSON messages). */
export interface PullMessage {
  id?: string;
  status?: string;
  progressDetail?: { current?: number; total?: number };
  error?: string;
}

/** Pulls one image. Aborting the signal cancels; what was fetched stays for the next try. */
export function pullImage(reference: string, signal: AbortSignal): AsyncGenerator<PullMessage> {
  const { name, tag } = splitReference(reference);
  return streamJson(
    { method: 'POST', path: `/images/create${query({ fromImage: name, tag })}` },
    signal,
  );
}

/** `host:5000/name:tag` -> name and tag; a digest goes where a tag goes, as the API wants it. */
export function splitReference(reference: string): { name: string; tag: string } {
  const at = reference.indexOf('@');
  if (at !== -1) return { name: reference.slice(0, at), tag: reference.slice(at + 1) };
  const colon = reference.lastIndexOf(':');
  if (colon > reference.lastIndexOf('/'))
    return { name: reference.slice(0, colon), tag: reference.slice(colon + 1) };
  return { name: reference, tag: 'latest' };
}
