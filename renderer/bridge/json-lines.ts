/** Cuts a byte stream into the JSON documents of its lines; a piece may end anywhere, also inside a character. */
export function jsonLines(): (chunk: Uint8Array) => unknown[] {
  const decoder = new TextDecoder();
  let rest = '';
  return (chunk) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    return lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as unknown);
  };
}
