/** What takes long on a slow computer: it is said, and waited for. */

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
