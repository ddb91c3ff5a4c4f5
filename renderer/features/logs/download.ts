import { withoutEscapes } from './ansi.ts';
import type { LogBuffer } from './log-buffer.ts';

/** Saves what the buffer holds as a text file. */
export function downloadLog(buffer: LogBuffer, name: string, times: boolean): void {
  const parts: string[] = [];
  for (let number = buffer.first; number < buffer.end; number++) {
    const line = buffer.at(number)!;
    parts.push(`${times ? `${line.time} ` : ''}${withoutEscapes(line.text)}\n`);
  }
  const address = URL.createObjectURL(new Blob(parts, { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = `${name}.log`;
  link.click();
  URL.revokeObjectURL(address);
}
