/** Declares what the routes of `/corten/v1` need of the engine besides its containers. */
import type {
  HistoryDocument,
  MachinePressureDocument,
  PressureDocument,
  SuggestionsDocument,
} from '../../contract/pressure.ts';

/** References and errors are those of {@link ContainersBackend.inspect}. */
export interface PressureBackend {
  now(reference: string): PressureDocument;
  /** Yields a document at once and then every second, until the container is removed or the signal aborts. */
  watch(reference: string, signal: AbortSignal): AsyncIterable<PressureDocument>;
  /** Documents of all running containers. */
  all(): MachinePressureDocument;
  history(reference: string, range: { seconds: number; stepSeconds: number }): HistoryDocument;
  suggestions(reference: string): SuggestionsDocument;
}
