/** Heredocs of RUN, COPY and ADD: `<<EOF`, `<<-EOF` (leading tabs go), `<<"EOF"` (variables stay). */
import { expand } from './words.ts';

export interface Heredoc {
  /** The terminator, which COPY takes as the file's name. */
  name: string;
  fileDescriptor: number;
  /** Whether variables in the content are expanded: not when a part of the name is quoted. */
  expands: boolean;
  /** Leading tabs are taken away. */
  chomps: boolean;
  content: string;
}

const noVariables = new Map<string, string>();

/** The heredocs that a line announces, without content. Throws invalid for names whose quotes do not end. */
export function heredocsOf(line: string): Heredoc[] {
  return wordsOf(line)
    .map(heredocOf)
    .filter((heredoc) => heredoc !== undefined);
}

function wordsOf(line: string): string[] {
  try {
    return expand(line, noVariables, { rawQuotes: true, rawEscapes: true, keepUnset: true }).words;
  } catch {
    // What the shell will complain about announces nothing here.
    return [];
  }
}

/** Undefined when the word is no heredoc's beginning. */
export function heredocOf(word: string): Heredoc | undefined {
  const [, descriptor = '', dash, rest = ''] = /^(\d*)<<(-?)\s*([^<]*)$/.exec(word) ?? [];
  if (rest === '') return undefined;
  const [name, ...others] = expand(rest, noVariables, { keepUnset: true }).words;
  if (name === undefined || others.length > 0) return undefined;
  const { words } = expand(rest, noVariables, { keepUnset: true, rawQuotes: true });
  return {
    name,
    fileDescriptor: Number(descriptor),
    expands: quotesIn(name) === quotesIn(words[0] ?? ''),
    chomps: dash === '-',
    content: '',
  };
}

export const withoutLeadingTabs = (text: string): string => text.replace(/(^|\n)\t+/g, '$1');

const quotesIn = (text: string): number => text.replace(/[^'"]/g, '').length;
