/** Parser directives: `# escape=`, `# syntax=`, `# check=` before anything else in a Dockerfile. */

export interface Directive {
  name: string;
  value: string;
  /** From 1. */
  line: number;
}

const directiveNames = ['syntax', 'escape', 'check'];

/** Takes the lines from the first on; after one that is no directive nothing is one any more. */
export class DirectiveReader {
  #isOver = false;
  readonly #seen = new Set<string>();
  readonly #comment: string;

  constructor(comment = '#') {
    this.#comment = comment;
  }

  /** Throws an Error for a second directive of the same name. */
  read(text: string): { name: string; value: string } | undefined {
    if (this.#isOver) return undefined;
    const match = text.startsWith(this.#comment)
      ? /^\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(text.slice(this.#comment.length))
      : null;
    const name = match?.[1]?.toLowerCase() ?? '';
    if (!directiveNames.includes(name)) {
      this.#isOver = true;
      return undefined;
    }
    if (this.#seen.has(name)) throw new Error(`only one ${name} parser directive can be used`);
    this.#seen.add(name);
    return { name, value: match![2]! };
  }
}

/**
 * The directive of that name. `syntax` may also stand in a `// syntax=` comment or in a JSON document, so that other
 * languages can name their front end; a `#!` line may come first.
 */
export function findDirective(source: string, name: 'syntax' | 'check'): Directive | undefined {
  const lines = source.replace(/^\ufeff/, '').split('\n');
  const first = lines[0]?.startsWith('#!') === true ? 1 : 0;
  const comments = name === 'syntax' ? ['#', '//'] : ['#'];
  for (const comment of comments) {
    const found = findIn(lines, first, new DirectiveReader(comment), name);
    if (found !== undefined) return found;
  }
  return name === 'syntax' ? fromJson(lines.slice(first).join('\n'), first) : undefined;
}

function findIn(
  lines: readonly string[],
  first: number,
  reader: DirectiveReader,
  name: string,
): Directive | undefined {
  try {
    for (const [index, text] of lines.entries()) {
      if (index < first) continue;
      const directive = reader.read(text.replace(/\r$/, ''));
      if (directive === undefined) return undefined;
      if (directive.name === name) return { ...directive, line: index + 1 };
    }
  } catch {
    // A repeated directive is the parser's to complain about.
  }
  return undefined;
}

function fromJson(text: string, first: number): Directive | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    const { syntax } = JSON.parse(text) as { syntax?: unknown };
    return typeof syntax === 'string'
      ? { name: 'syntax', value: syntax, line: first + 1 }
      : undefined;
  } catch {
    return undefined;
  }
}
