/** How a stage waits: what takes long is said, and anybody may call it off. */
import { calledOff, StageFailure } from './machine.ts';

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

export interface StageLimits {
  /** Aborted by who calls it off, and here when it is given up: what is under way undoes itself then. */
  over: AbortController;
  /** Between two signs of life. */
  patienceMs: number;
  /** For undoing what it had begun, once it is over. */
  graceMs: number;
  /** When it last gave a sign, by performance.now(), and what that was. */
  lastSign(): { atMs: number; text?: string };
}

/**
 * The last resort for a stage of any backend, whatever patience it has itself: a disk or a computer
 * that answers no call holds nobody for ever.
 */
export function inTime<T>(work: Promise<T>, limits: StageLimits): Promise<T> {
  const { over, patienceMs, graceMs, lastSign } = limits;
  return new Promise((resolve, reject) => {
    let late: StageFailure | undefined;
    let timer: NodeJS.Timeout;
    const settled = () => {
      clearTimeout(timer);
      over.signal.removeEventListener('abort', waitForItsEnd);
    };
    function waitForItsEnd(): void {
      clearTimeout(timer);
      timer = setTimeout(() => {
        settled();
        reject(late ?? calledOff());
      }, graceMs);
    }
    function look(): void {
      const { atMs, text } = lastSign();
      const leftMs = atMs + patienceMs - performance.now();
      if (leftMs > 0) {
        timer = setTimeout(look, leftMs);
        return;
      }
      late = gaveNoSign(patienceMs, text);
      over.abort();
    }
    timer = setTimeout(look, patienceMs);
    over.signal.addEventListener('abort', waitForItsEnd);
    if (over.signal.aborted) waitForItsEnd();
    work.then(
      (value) => {
        settled();
        // Late all the same: whoever follows hears that it is over, and undoes this one.
        resolve(value);
      },
      (error) => {
        settled();
        reject(late ?? error);
      },
    );
  });
}

function gaveNoSign(patienceMs: number, lastWord: string | undefined): StageFailure {
  return new StageFailure(
    `This step gave no sign of life for ${patienceMs / 1000} s.${lastWord ? ` It said last: ${lastWord}` : ''}`,
    'Start it again. If it stays so, a disk or a connection that it needs does not answer: save the diagnostics (in the machine’s menu), and restart this computer.',
  );
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
