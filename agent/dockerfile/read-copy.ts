/** COPY and ADD: sources, heredocs as sources, and a destination. */
import { readFlags } from './flags.ts';
import { heredocOf, withoutLeadingTabs } from './heredoc.ts';
import type { Add, Copy, InlineFile } from './instruction.ts';
import type { ParsedInstruction } from './parser.ts';

const sharedFlags = {
  chown: 'text',
  chmod: 'text',
  link: 'boolean',
  exclude: 'texts',
} as const;

export function readCopy(source: ParsedInstruction): Copy {
  const sources = sourcesOf(source);
  const flags = readFlags(source.flags, { ...sharedFlags, from: 'text', parents: 'boolean' });
  return {
    kind: 'copy',
    ...sources,
    ...sharedOf(flags),
    from: flags.from ?? '',
    withParents: flags.parents ?? false,
  };
}

export function readAdd(source: ParsedInstruction): Add {
  const sources = sourcesOf(source);
  const flags = readFlags(source.flags, {
    ...sharedFlags,
    'keep-git-dir': 'boolean',
    checksum: 'text',
    unpack: 'boolean',
  });
  return {
    kind: 'add',
    ...sources,
    ...sharedOf(flags),
    keepsGitDirectory: flags['keep-git-dir'],
    checksum: flags.checksum ?? '',
    unpacks: flags.unpack,
  };
}

function sharedOf(flags: {
  chown?: string;
  chmod?: string;
  link?: boolean;
  exclude?: string[];
}): Pick<Copy, 'chown' | 'chmod' | 'isLinked' | 'exclude'> {
  const { chown = '', chmod = '', link = false, exclude = [] } = flags;
  return { chown, chmod, isLinked: link, exclude };
}

function sourcesOf({ keyword, args, heredocs }: ParsedInstruction) {
  const instruction = keyword.toUpperCase();
  if (args.length < 2)
    throw new Error(
      `${instruction} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  const destination = args.at(-1)!;
  if (heredocIn(destination) !== undefined)
    throw new Error(`${instruction} cannot accept a heredoc as a destination`);
  const paths: string[] = [];
  const files: InlineFile[] = [];
  for (const word of args.slice(0, -1)) {
    const heredoc = heredocIn(word);
    if (heredoc === undefined) {
      paths.push(word);
      continue;
    }
    const { name, chomps, expands } = heredoc;
    // Of two heredocs of one name both are the last one's content, as in BuildKit.
    const content = heredocs.findLast((candidate) => candidate.name === name)?.content ?? '';
    files.push({ name, content: chomps ? withoutLeadingTabs(content) : content, expands });
  }
  return { paths, files, destination };
}

function heredocIn(word: string) {
  try {
    return heredocOf(word);
  } catch {
    // A path that only looks like a heredoc.
    return undefined;
  }
}
