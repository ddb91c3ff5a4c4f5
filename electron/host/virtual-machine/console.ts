/** A guest's console as a file that its program writes (agent/contract/guest-console.ts reads its lines). */
import { open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';

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
