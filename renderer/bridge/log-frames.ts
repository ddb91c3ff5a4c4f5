/**
 * Cuts the Engine API's multiplexed stream into its frames: `[stream, 0, 0, 0, length BE32]`, then
 * the payload. Chunks may end anywhere.
 */
export interface LogFrame {
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}

const headerBytes = 8;

export function logFrames(): (chunk: Uint8Array) => LogFrame[] {
  let rest: Uint8Array = new Uint8Array(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : join(rest, chunk);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const frames: LogFrame[] = [];
    let offset = 0;
    while (offset + headerBytes <= bytes.length) {
      const end = offset + headerBytes + view.getUint32(offset + 4);
      if (end > bytes.length) break;
      frames.push({
        stream: bytes[offset] === 2 ? 'stderr' : 'stdout',
        data: bytes.subarray(offset + headerBytes, end),
      });
      offset = end;
    }
    rest = bytes.slice(offset);
    return frames;
  };
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
