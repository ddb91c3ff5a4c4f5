/**
 * Colours and weights in log text: the SGR sequences of ECMA-48, with the 256-colour and true-colour
 * forms of xterm. Every other escape sequence is dropped.
 */
export interface Style {
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  inverse?: boolean;
  /** A palette index, or `#rrggbb`. */
  color?: number | string;
  background?: number | string;
}

export interface Span {
  text: string;
  style: Style;
}

export const plain: Style = Object.freeze({});

// CSI … final byte; OSC … BEL or ST; other two-character escapes.
const escapeSequence = /\x1b(?:\[([0-9;:?]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])/g;

export function hasEscapes(text: string): boolean {
  return text.includes('\x1b');
}

/** The line's pieces in one style each, and the style that the next line goes on with. */
export function parseAnsi(line: string, start: Style): { spans: Span[]; end: Style } {
  const spans: Span[] = [];
  let style = start;
  let from = 0;
  for (const match of line.matchAll(escapeSequence)) {
    if (match.index > from) spans.push({ text: line.slice(from, match.index), style });
    from = match.index + match[0].length;
    if (match[2] === 'm') style = applySgr(style, match[1] ?? '');
  }
  if (from < line.length) spans.push({ text: line.slice(from), style });
  return { spans, end: style };
}

export function withoutEscapes(text: string): string {
  return hasEscapes(text) ? text.replace(escapeSequence, '') : text;
}

function applySgr(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)));
  let style: Style = before;
  for (let index = 0; index < codes.length; index++) {
    const code = codes[index]!;
    if (code === 38 || code === 48) {
      const { value, used } = extendedColor(codes, index + 1);
      style = { ...style, [code === 38 ? 'color' : 'background']: value };
      index += used;
    } else style = applyCode(style, code);
  }
  return style;
}

function applyCode(style: Style, code: number): Style {
  switch (code) {
    case 0:
      return plain;
    case 1:
      return { ...style, bold: true };
    case 2:
      return { ...style, dim: true };
    case 3:
      return { ...style, italic: true };
    case 4:
      return { ...style, underline: true };
    case 7:
      return { ...style, inverse: true };
    case 22:
      return { ...style, bold: undefined, dim: undefined };
    case 23:
      return { ...style, italic: undefined };
    case 24:
      return { ...style, underline: undefined };
    case 27:
      return { ...style, inverse: undefined };
    case 39:
      return { ...style, color: undefined };
    case 49:
      return { ...style, background: undefined };
  }
  if (code >= 30 && code <= 37) return { ...style, color: code - 30 };
  if (code >= 90 && code <= 97) return { ...style, color: code - 90 + 8 };
  if (code >= 40 && code <= 47) return { ...style, background: code - 40 };
  if (code >= 100 && code <= 107) return { ...style, background: code - 100 + 8 };
  return style;
}

/** `5;n` is an index of the 256 colours, `2;r;g;b` a true colour. */
function extendedColor(
  codes: number[],
  at: number,
): { value: number | string | undefined; used: number } {
  if (codes[at] === 5) return { value: paletteColor(codes[at + 1] ?? 0), used: 2 };
  if (codes[at] === 2) return { value: hex(codes.slice(at + 1, at + 4)), used: 4 };
  return { value: undefined, used: 1 };
}

/** The first 16 follow the theme; then a 6x6x6 cube, then 24 greys (xterm's 256colres.h). */
function paletteColor(index: number): number | string {
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return hex([grey, grey, grey]);
  }
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return hex([level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)]);
}

function hex(parts: number[]): string {
  return `#${parts.map((part) => Math.min(255, part).toString(16).padStart(2, '0')).join('')}`;
}
