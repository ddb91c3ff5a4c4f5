/** Turns frames of timestamped log bytes into lines; a line may arrive in any number of pieces. */
import type { LogFrame } from '../../bridge/log-frames.ts';
import { hasEscapes, parseAnsi, plain, type Style } from './ansi.ts';
import type { LogLine } from './log-buffer.ts';

interface StreamState {
  decoder: TextDecoder;
  rest: string;
  style: Style;
}

export function lineReader(emit: (line: LogLine) => void): (frame: LogFrame) => void {
  const states = { stdout: newState(), stderr: newState() };
  return (frame) => {
    const state = states[frame.stream];
    const lines = (state.rest + state.decoder.decode(frame.data, { stream: true })).split('\n');
    state.rest = lines.pop() ?? '';
    for (const text of lines) emit(toLine(text, frame.stream === 'stderr', state));
  };
}

function newState(): StreamState {
  return { decoder: new TextDecoder(), rest: '', style: plain };
}

const timestamp = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) /;

function toLine(raw: string, stderr: boolean, state: StreamState): LogLine {
  const time = timestamp.exec(raw);
  const text = overwritten(time ? raw.slice(time[0].length) : raw);
  const start = state.style;
  if (hasEscapes(text)) state.style = parseAnsi(text, start).end;
  return { text, time: time?.[1] ?? '', stderr, start };
}

/** A bare carriage return goes back to the line's start: what came last is what a terminal shows. */
function overwritten(text: string): string {
  const trimmed = text.endsWith('\r') ? text.slice(0, -1) : text;
  const back = trimmed.lastIndexOf('\r');
  return back === -1 ? trimmed : trimmed.slice(back + 1);
}
