/** Which checks are asked for (`# check=skip=…;error=true`), and who hears what they find. */
import { invalid } from '../errors.ts';
import { DirectiveReader } from './directives.ts';
import type { LintRule } from './lint-rules.ts';
import type { SourceRange } from './source.ts';

export interface LintOptions {
  skipped: ReadonlySet<string>;
  skipsAll: boolean;
  /** Experimental rules that are wanted. */
  experimental: ReadonlySet<string>;
  wantsAllExperimental: boolean;
  /** Whether what is found fails the build. */
  failsBuild: boolean;
}

export interface LintWarning {
  rule: LintRule;
  message: string;
  range: SourceRange;
}

export const defaultLintOptions: LintOptions = {
  skipped: new Set(),
  skipsAll: false,
  experimental: new Set(),
  wantsAllExperimental: false,
  failsBuild: false,
};

/** Parses `skip=RuleA,RuleB;experimental=all;error=true`. Throws invalid. */
export function parseLintOptions(text: string): LintOptions {
  const options = {
    ...defaultLintOptions,
    skipped: new Set<string>(),
    experimental: new Set<string>(),
  };
  for (const part of text.trim() === '' ? [] : text.trim().split(';')) {
    const equals = part.indexOf('=');
    if (equals === -1)
      throw invalid(`invalid check option ${JSON.stringify(part)}: write it as name=value`);
    const name = part.slice(0, equals).trim();
    const value = part.slice(equals + 1).trim();
    const names = value.split(',').map((rule) => rule.trim());
    if (name === 'error') options.failsBuild = booleanOf(value, part);
    else if (name === 'skip' && value === 'all') options.skipsAll = true;
    else if (name === 'skip') options.skipped = new Set(names);
    else if (name === 'experimental' && value === 'all') options.wantsAllExperimental = true;
    else if (name === 'experimental') options.experimental = new Set(names);
    else
      throw invalid(
        `invalid check option ${JSON.stringify(name)}: there are skip, experimental and error`,
      );
  }
  return options;
}

function booleanOf(value: string, part: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalid(`failed to parse check option ${JSON.stringify(part)}: true or false is wanted`);
}

export class Linter {
  readonly #options: LintOptions;
  readonly #warn: (warning: LintWarning) => void;
  readonly #violated: Set<string>;

  constructor(
    options: LintOptions,
    warn: (warning: LintWarning) => void,
    violated: Set<string> = new Set(),
  ) {
    this.#options = options;
    this.#warn = warn;
    this.#violated = violated;
  }

  run(rule: LintRule, range: SourceRange, message: string): void {
    const { skipped, skipsAll, experimental, wantsAllExperimental } = this.#options;
    const isWanted = rule.isExperimental
      ? wantsAllExperimental || experimental.has(rule.name)
      : !skipsAll && !skipped.has(rule.name);
    if (!isWanted) return;
    this.#violated.add(rule.name);
    this.#warn({ rule, message, range });
  }

  /** With what a `# check=…` comment above an instruction adds for that instruction. */
  withComments(comments: readonly string[]): Linter {
    for (const comment of comments) {
      const directive = new DirectiveReader('').read(comment);
      if (directive?.name !== 'check') continue;
      return this.#with(directive.value.split(' ', 1)[0]!);
    }
    return this;
  }

  #with(text: string): Linter {
    let other: LintOptions;
    try {
      other = parseLintOptions(text);
    } catch {
      // A comment that only looks like a directive changes nothing.
      return this;
    }
    const own = this.#options;
    return new Linter(
      {
        ...own,
        skipped: new Set([...own.skipped, ...other.skipped]),
        skipsAll: own.skipsAll || other.skipsAll,
        experimental: new Set([...own.experimental, ...other.experimental]),
        wantsAllExperimental: own.wantsAllExperimental || other.wantsAllExperimental,
      },
      this.#warn,
      this.#violated,
    );
  }

  /** Throws invalid when warnings are to fail the build and there were some. */
  finish(): void {
    if (!this.#options.failsBuild || this.#violated.size === 0) return;
    throw invalid(`lint violation found for rules: ${[...this.#violated].sort().join(', ')}`);
  }
}
