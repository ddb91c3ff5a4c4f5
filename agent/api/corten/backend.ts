/** What our own routes need from the engine beside its containers. */
import type {
  HistoryDocument,
  MachinePressureDocument,
  PressureDocument,
  SuggestionsDocument,
} from '../../contract/pressure.ts';

/** References are as in {@link ContainersBackend.inspect}, with its errors. */
export interface PressureBackend {
  now(reference: string): PressureDocument;
  /** At once and then once a second, until the container is removed or the signal aborts. */
  watch(reference: string, signal: AbortSignal): AsyncIterable<PressureDocument>;
  /** Of all that run. */
  all(): MachinePressureDocument;
  history(reference: string, range: { seconds: number; stepSeconds: number }): HistoryDocument;
  suggestions(reference: string): SuggestionsDocument;
}
