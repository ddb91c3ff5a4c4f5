/** Output of a container without a terminal: frames that say which of the two streams they are of. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';

const headBytes = 8;
const standardError = 2;

/**
 * Sorts a multiplexed stream (Docker Engine API, ContainerAttach: one byte of stream, three of padding, four
 * of length) until it ends.
 */
export async function copyFrames(
  source: AsyncIterable<Buffer>,
  output: Writable,
  errors: Writable,
): Promise<void> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const piece of source) {
    pending = pending.length === 0 ? piece : Buffer.concat([pending, piece]);
    while (pending.length >= headBytes) {
      const end = headBytes + pending.readUInt32BE(4);
      if (pending.length < end) break;
      const target = pending[0] === standardError ? errors : output;
      await write(target, pending.subarray(headBytes, end));
      pending = pending.subarray(end);
    }
  }
}

/** The bytes as they are: with a terminal there is one stream only. */
export async function copyRaw(source: AsyncIterable<Buffer>, output: Writable): Promise<void> {
  for await (const piece of source) await write(output, piece);
}

async function write(target: Writable, data: Buffer): Promise<void> {
  if (!target.write(data)) await once(target, 'drain');
}
