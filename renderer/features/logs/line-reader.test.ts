import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineReader } from './line-reader.ts';
import type { LogLine } from './log-buffer.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('lines are put together from pieces, also inside a character', () => {
  const lines: LogLine[] = [];
  const read = lineReader((line) => lines.push(line));
  const whole = bytes('2026-01-02T03:04:05.123456789Z größe 日本\n');
  for (const byte of whole) read({ stream: 'stdout', data: new Uint8Array([byte]) });
  assert.deepEqual(
    lines.map(({ text, time }) => ({ text, time })),
    [{ text: 'größe 日本', time: '2026-01-02T03:04:05.123456789Z' }],
  );
});

test('stdout and stderr do not mix in one line', () => {
  const lines: LogLine[] = [];
  const read = lineReader((line) => lines.push(line));
  read({ stream: 'stdout', data: bytes('out') });
  read({ stream: 'stderr', data: bytes('err\n') });
  read({ stream: 'stdout', data: bytes('put\n') });
  assert.deepEqual(
    lines.map(({ text, stderr }) => [text, stderr]),
    [
      ['err', true],
      ['output', false],
    ],
  );
});

test('a progress bar shows its last state, and an open colour goes on', () => {
  const lines: LogLine[] = [];
  const read = lineReader((line) => lines.push(line));
  read({ stream: 'stdout', data: bytes('10%\r50%\r100%\r\n\x1b[32mgreen\nstill\n') });
  assert.deepEqual(
    lines.map((line) => line.text),
    ['100%', '\x1b[32mgreen', 'still'],
  );
  assert.deepEqual(lines[2]!.start, { color: 2 });
});
