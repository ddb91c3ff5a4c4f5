/** The parts of one instruction's line: its name, its flags, and the rest. */

export interface CommandLine {
  name: string;
  flags: string[];
  rest: string;
}

export function splitCommand(line: string, escapeChar: string): CommandLine {
  const [, name = '', after = ''] = /^([^\t\v\f\r ]*)[\t\v\f\r ]*(.*)$/s.exec(line.trim()) ?? [];
  const { flags, rest } = takeFlags(after, escapeChar);
  return { name, flags, rest: rest.trim() };
}

/** Flags are the words at the beginning that start with `--`; a lone `--` ends them. Quotes and escapes go. */
function takeFlags(text: string, escapeChar: string): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at++;
    if (!text.startsWith('--', at)) return { flags, rest: text.slice(at) };
    const { word, end, isQuoted } = takeWord(text, at, escapeChar);
    at = end;
    if (word === '--') return { flags, rest: text.slice(at) };
    if (word !== '' || isQuoted) flags.push(word);
  }
}

function takeWord(
  text: string,
  start: number,
  escapeChar: string,
): { word: string; end: number; isQuoted: boolean } {
  let word = '';
  let quote = '';
  let isQuoted = false;
  let at = start;
  for (; at < text.length; at++) {
    const char = text[at]!;
    if (quote === '' && /\s/.test(char)) break;
    if (quote === char) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) {
      quote = char;
      isQuoted = true;
    } else if (char !== escapeChar) word += char;
    else if (at + 1 < text.length) word += text[++at];
  }
  return { word, end: at, isQuoted };
}

/** Splits at blanks outside quotes. Quotes and escapes stay, since a later expansion takes them away. */
export function quotedWords(text: string, escapeChar: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  const chars = Array.from(text);
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at]!;
    if (quote === '' && /\s/.test(char)) {
      if (word !== '') words.push(word);
      word = '';
    } else if (char === escapeChar && quote !== "'") {
      // An escape character that escapes nothing, at the end, is dropped.
      if (at + 1 < chars.length) word += char + chars[++at]!;
    } else {
      if (quote === char) quote = '';
      else if (quote === '' && (char === '"' || char === "'")) quote = char;
      word += char;
    }
  }
  return word === '' ? words : [...words, word];
}
