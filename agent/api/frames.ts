/**
 * Docker's multiplexed stream: eight bytes `[stream, 0, 0, 0, length]` precede each piece of output, with a
 * big-endian length (moby pkg/stdcopy). With a terminal there are no frames.
 */
import type { OutputChunk } from './containers/backend.ts';

export const rawStream = 'application/vnd.docker.raw-stream';
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream';

const streamNumber = { stdout: 1, stderr: 2 } as const;

export function frame({ stream, data }: OutputChunk): Buffer {
  const framed = Buffer.allocUnsafe(8 + data.length);
  framed.writeUInt32BE(streamNumber[stream] << 24, 0);
  framed.writeUInt32BE(data.length, 4);
  data.copy(framed, 8);
  return framed;
}
