/** Words of a command line, cut and quoted as a POSIX shell does (XCU 2.2), without expansions. */

export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'") {
      const end = closing(line, at, "'");
      word = (word ?? '') + line.slice(at + 1, end);
      at = end;
    } else if (char === '"') {
      const end = closing(line, at, '"');
      // In double quotes a backslash only escapes what would be special there.
      word = (word ?? '') + line.slice(at + 1, end).replace(/\\(["\\$`])|\\\n/g, '$1');
      at = end;
    } else if (char === '\\') {
      at += 1;
      // A backslash at the end of a line joins it with the next one.
      if (line[at] !== '\n') word = (word ?? '') + (line[at] ?? '');
    } else word = (word ?? '') + char;
  }
  if (word !== undefined) words.push(word);
  return words;
}

export function quoteWord(word: string): string {
  if (word !== '' && /^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Where the quote that opened at `from` closes; a quote left open ends with the line. */
function closing(line: string, from: number, quote: string): number {
  for (let at = from + 1; at < line.length; at++) {
    if (quote === '"' && line[at] === '\\') at += 1;
    else if (line[at] === quote) return at;
  }
  return line.length;
}
