/** Timeouts and cancellation of a start's stages. */
import { cancelled, StageFailure } from './machine.ts';

const defaultSlowAfterMs = 10_000;

export interface SlowOptions {
  note(text: string | undefined): void;
  /** The note at the stage from `slowAfterMs` on. */
  text: string;
  slowAfterMs?: number;
}

/** Shows the note while the work takes longer than `slowAfterMs`. */
export async function noteWhenSlow<T>(
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
  /** Aborts on cancellation, and here at the timeout; the work then undoes what it began. */
  over: AbortController;
  /** Since the last activity. */
  timeoutMs: number;
  /** How long the work may take to undo what it began after `over` has aborted. */
  graceMs: number;
  /** When the stage last reported something, by performance.now(), and its text. */
  lastActivity(): { atMs: number; text?: string };
}

/**
 * The last timeout of a stage, beyond those of its backend: a system call that never returns, such
 * as on a broken disk, must not block a start for ever. Rejects with StageFailure.
 */
export function inTime<T>(work: Promise<T>, limits: StageLimits): Promise<T> {
  const { over, timeoutMs, graceMs, lastActivity } = limits;
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
        reject(late ?? cancelled());
      }, graceMs);
    }
    function check(): void {
      const { atMs, text } = lastActivity();
      const leftMs = atMs + timeoutMs - performance.now();
      if (leftMs > 0) {
        timer = setTimeout(check, leftMs);
        return;
      }
      late = noActivity(timeoutMs, text);
      over.abort();
    }
    timer = setTimeout(check, timeoutMs);
    over.signal.addEventListener('abort', waitForItsEnd);
    if (over.signal.aborted) waitForItsEnd();
    work.then(
      (value) => {
        settled();
        // A late result still resolves; the next stage sees that `over` has aborted, and undoes it.
        resolve(value);
      },
      (error) => {
        settled();
        reject(late ?? error);
      },
    );
  });
}

function noActivity(timeoutMs: number, lastWord: string | undefined): StageFailure {
  return new StageFailure(
    `This step showed no activity for ${timeoutMs / 1000} s.${lastWord ? ` Its last message: ${lastWord}` : ''}`,
    'Start it again. If it stays so, a disk or a connection that it needs does not answer: save the diagnostics (in the machine’s menu), and restart this computer.',
  );
}

/** Rejects at once on abort. The work itself goes on, and its result is dropped. */
export async function unlessCancelled<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const over = new AbortController();
  const called = new Promise<never>((_, reject) => {
    const cancel = () => reject(cancelled());
    signal.addEventListener('abort', cancel, { signal: over.signal });
    if (signal.aborted) cancel();
  });
  return Promise.race([work, called]).finally(() => over.abort());
}
