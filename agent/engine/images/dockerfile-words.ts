/**
 * Splits a Dockerfile instruction into words, with quotes, escapes and variables (moby's shlex).
 */
import { invalid } from '../../errors.ts';

/** Splits at blanks outside quotes. Words keep their quotes and escapes. */
export function wordsOf(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '\\' && quote !== "'" && at + 1 < text.length) {
      word += char + text[++at];
      continue;
    }
    if (quote === '' && /\s/.test(char)) {
      if (word !== '') words.push(word);
      word = '';
      continue;
    }
    if (quote === char) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    word += char;
  }
  return word === '' ? words : [...words, word];
}

/** A word without its quotes and with the values of its variables. */
export function expanded(text: string, env: ReadonlyMap<string, string>): string {
  let result = '';
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quote === "'") {
      if (char === "'") quote = '';
      else result += char;
    } else if (char === '\\') {
      const next = text[at + 1];
      // Inside double quotes only characters with a special meaning are escaped.
      if (quote === '"' && next !== undefined && !'"$\\'.includes(next)) result += char;
      else {
        result += next ?? '';
        at++;
      }
    } else if (char === '"') quote = quote === '"' ? '' : '"';
    else if (char === "'" && quote === '') quote = "'";
    else if (char === '$') {
      const { value, length } = variableAt(text.slice(at), env);
      result += value;
      at += length - 1;
    } else result += char;
  }
  if (quote !== '') throw invalid(`a quote ${quote} in ${JSON.stringify(text)} does not end`);
  return result;
}

/** Expands `$NAME`, `${NAME}`, `${NAME:-else}` and `${NAME:+instead}`. A lone `$` is literal. */
function variableAt(
  text: string,
  env: ReadonlyMap<string, string>,
): { value: string; length: number } {
  const plain = /^\$([A-Za-z_]\w*)/.exec(text);
  if (plain !== null) return { value: env.get(plain[1]!) ?? '', length: plain[0].length };
  if (!text.startsWith('${')) return { value: '$', length: 1 };
  const braced = /^\$\{([A-Za-z_]\w*)(?::([-+])([^}]*))?\}/.exec(text);
  if (braced === null) throw invalid(`${JSON.stringify(text)} begins with a variable that is none`);
  const [whole, name = '', how, other = ''] = braced;
  const value = env.get(name) ?? '';
  const length = whole.length;
  if (how === '-') return { value: value === '' ? expanded(other, env) : value, length };
  if (how === '+') return { value: value === '' ? '' : expanded(other, env), length };
  return { value, length };
}
