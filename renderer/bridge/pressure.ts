import type {
  HistoryDocument,
  LimitEvent,
  PressureDocument,
  Suggestion,
  SuggestionsDocument,
} from '../../agent/contract/pressure.ts';
import { getJson, query, streamJson } from './engine.ts';

export type { HistoryDocument, LimitEvent, PressureDocument, Suggestion, SuggestionsDocument };

/** The newest document at once, then one a second until aborted or the container is removed. */
export function watchPressure(id: string, signal: AbortSignal): AsyncGenerator<PressureDocument> {
  const path = `/corten/v1/containers/${id}/pressure${query({ stream: true })}`;
  return streamJson<PressureDocument>({ method: 'GET', path }, signal);
}

export function getHistory(
  id: string,
  seconds: number,
  stepSeconds: number,
): Promise<HistoryDocument> {
  return getJson(`/corten/v1/containers/${id}/history${query({ seconds, step: stepSeconds })}`);
}

export function getSuggestions(id: string): Promise<SuggestionsDocument> {
  return getJson(`/corten/v1/containers/${id}/suggestions`);
}
