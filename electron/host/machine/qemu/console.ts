/** What the guest writes to its console: how far it is, that it is ready, and why it ends. */
import { open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';

export type ConsoleEvent =
  /** A step of the guest's start begins; `name` is the guest's word for it. */
  | { kind: 'stage'; name: string }
  /** Its SSH server listens. */
  | { kind: 'ready' }
  /** The agent ended, and the guest's init starts it again. */
  | { kind: 'agent-ended'; status: string }
  /** It cannot go on; `stage` and `cause` are the guest's words, the sentence is for people. */
  | { kind: 'failed'; stage: string; cause: string; sentence: string };

/** Undefined for a line that is the kernel's or a program's own. */
export function readConsoleLine(line: string): ConsoleEvent | undefined {
  const panic = /Kernel panic - not syncing: (.*)/.exec(line)?.[1];
  if (panic !== undefined)
    return { kind: 'failed', stage: 'kernel', cause: 'panic', sentence: panic.trim() };
  if (line.includes('{"event":"ready"')) return { kind: 'ready' };
  const [, word, rest = ''] = /\bcorten: (stage|failed|agent-ended) (.*)$/.exec(line) ?? [];
  if (word === 'stage') return { kind: 'stage', name: rest.split(' ')[0] ?? '' };
  if (word === 'agent-ended') return { kind: 'agent-ended', status: rest.trim() };
  const [, stage = '', cause = '', sentence = ''] = /^(\S+) (\S+): (.*)$/.exec(rest) ?? [];
  return word === 'failed' ? { kind: 'failed', stage, cause, sentence } : undefined;
}

const pollMs = 20;

/** Follows a file that another process appends to, line by line, until the signal aborts. */
export async function* followLines(path: string, signal: AbortSignal): AsyncGenerator<string> {
  const file = await open(path, 'r');
  const decoder = new StringDecoder('utf8');
  const piece = Buffer.alloc(16 * 1024);
  let rest = '';
  try {
    while (!signal.aborted) {
      const { bytesRead } = await file.read(piece, 0, piece.length, null);
      if (bytesRead === 0) {
        // A serial console has no end of file, and inotify is not on every system.
        await sleep(pollMs);
        continue;
      }
      const lines = (rest + decoder.write(piece.subarray(0, bytesRead))).split(/\r*\n/);
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } finally {
    await file.close();
  }
}

/** The last lines of a console or an error output, without escape sequences and empty lines. */
export function lastWords(text: string, count = 3): string {
  return text
    .replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|\x1bc/g, '')
    .split(/\r*\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(-count)
    .join(' | ');
}
