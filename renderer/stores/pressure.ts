/** What limits do to the container that is looked at: now, over an hour, and what that suggests. */
import { create } from 'zustand';
import {
  getHistory,
  getSuggestions,
  type HistoryDocument,
  type PressureDocument,
  type SuggestionsDocument,
  watchPressure,
} from '../bridge/pressure.ts';
import { perMachine } from './per-machine.ts';
import { whileVisible } from './while-visible.ts';

export const usePressure = perMachine(
  create<{
    id: string | undefined;
    now: PressureDocument | undefined;
    history: HistoryDocument | undefined;
    suggestions: SuggestionsDocument | undefined;
  }>()(() => ({ id: undefined, now: undefined, history: undefined, suggestions: undefined })),
);

const hourSeconds = 3600;
/** A point every ten seconds is one or two on each pixel of the chart. */
export const stepSeconds = 10;
const pollMs = 10_000;
const eagerMs = 2000;

/** Follows the newest document. Gives back how to stop. */
export function followPressure(id: string): () => void {
  lookAt(id);
  return whileVisible(async (signal) => {
    try {
      for await (const now of watchPressure(id, signal)) {
        if (signal.aborted) return;
        put(id, { now });
      }
    } catch {
      // The container or the engine went away: its row says so already.
    }
  });
}

/** Reads the hour again each time it has a new point. Gives back how to stop. */
export function followHistory(id: string): () => void {
  return poll(id, async () => ({ history: await getHistory(id, hourSeconds, stepSeconds) }));
}

export function followSuggestions(id: string): () => void {
  return poll(id, () => readSuggestions(id));
}

/** After the limits have changed, so has what is suggested. */
export async function reloadSuggestions(id: string): Promise<void> {
  try {
    put(id, await readSuggestions(id));
  } catch {
    // The next poll tries again.
  }
}

const readSuggestions = async (id: string) => ({ suggestions: await getSuggestions(id) });

type Part = Partial<Omit<ReturnType<typeof usePressure.getState>, 'id'>>;

function poll(id: string, read: () => Promise<Part>): () => void {
  lookAt(id);
  return whileVisible(async (signal) => {
    // A young container's first points are worth more than one in ten seconds.
    for (let round = 0; !signal.aborted; round++) {
      try {
        put(id, await read());
      } catch {
        // The container or the engine went away: its row says so already.
      }
      await new Promise((done) => setTimeout(done, round < 10 ? eagerMs : pollMs));
    }
  });
}

/** One container is looked at at a time; another's figures are never shown as its own. */
function lookAt(id: string): void {
  if (usePressure.getState().id !== id)
    usePressure.setState({
      id,
      now: undefined,
      history: undefined,
      suggestions: undefined,
    });
}

function put(id: string, part: Part): void {
  if (usePressure.getState().id === id) usePressure.setState(part);
}
