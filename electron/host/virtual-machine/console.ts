/** Reads a guest's console from the file that QEMU or vfkit writes (agent/contract/guest-console.ts parses its lines). */
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
        // The file is polled: it has no end while the guest runs, and not every system has inotify(7).
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
