/** How a stage waits: what takes long is said, and anybody may call it off. */
import { calledOff } from './machine.ts';

const defaultSlowAfterMs = 10_000;

export interface SlowOptions {
  note(text: string | undefined): void;
  /** Said at the stage while it lasts. */
  text: string;
  slowAfterMs?: number;
}

/** Nothing stays of the note once the work is done. */
export async function tellingSlowness<T>(
  work: Promise<T>,
  { note, text, slowAfterMs = defaultSlowAfterMs }: SlowOptions,
): Promise<T> {
  let isTold = false;
  const timer = setTimeout(() => {
    isTold = true;
    note(text);
  }, slowAfterMs);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
    if (isTold) note(undefined);
  }
}

/** What is waited for goes on, and nobody needs it any more. */
export async function unlessCalledOff<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const over = new AbortController();
  const called = new Promise<never>((_, reject) => {
    const callOff = () => reject(calledOff());
    signal.addEventListener('abort', callOff, { signal: over.signal });
    if (signal.aborted) callOff();
  });
  return Promise.race([work, called]).finally(() => over.abort());
}
