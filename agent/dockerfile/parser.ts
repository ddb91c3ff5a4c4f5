/**
 * Dockerfile text to instructions: directives, comments, continued lines and heredocs, with BuildKit's outcomes
 * (frontend/dockerfile/parser) and each instruction's place. What the instructions mean is in `instructions/`.
 */
import { type Arguments, argumentParsers } from './arguments.ts';
import { splitCommand } from './command-line.ts';
import { DirectiveReader } from './directives.ts';
import { type Heredoc, heredocsOf } from './heredoc.ts';
import { type Position, parseError, type SourceRange } from './source.ts';

export interface ParsedDockerfile {
  instructions: ParsedInstruction[];
  escape: string;
  /** Instructions that are continued over empty lines, which is deprecated. */
  emptyContinuations: { text: string; line: number }[];
}

export interface ParsedInstruction extends Arguments {
  /** As written: `RUN` or `run`. */
  name: string;
  /** In lower case. */
  keyword: string;
  flags: string[];
  heredocs: Heredoc[];
  /** The whole instruction in one line, without comments and continuations. */
  text: string;
  range: SourceRange;
  /** Comments directly above. */
  comments: string[];
  /** The instruction behind ONBUILD. */
  trigger?: ParsedInstruction;
  /** Where each piece of `text` lies in the file. */
  pieces: Piece[];
}

interface Piece {
  /** In `text`. */
  offset: number;
  position: Position;
}

/** Throws SourceError. */
export function parseDockerfile(source: string): ParsedDockerfile {
  return new DockerfileParser(source).parse();
}

/** Parses one instruction that stands alone, such as a trigger of a base image. Throws SourceError. */
export function parseInstruction(text: string): ParsedInstruction {
  const { instructions } = parseDockerfile(text);
  return instructions[0]!;
}

/** Where the first occurrence of `word` in the instruction lies; the instruction's beginning when there is none. */
export function positionOf({ text, pieces, range }: ParsedInstruction, word: string): Position {
  const offset = word === '' ? -1 : text.indexOf(word);
  const piece = pieces.findLast((candidate) => candidate.offset <= offset);
  if (piece === undefined) return range.start;
  const { line, column } = piece.position;
  return { line, column: column + offset - piece.offset };
}

const heredocKeywords = ['add', 'copy', 'run'];

class DockerfileParser {
  /** With their line ends, which heredocs keep. */
  readonly #lines: string[];
  #next = 0;
  #escape = '\\';
  readonly #directives = new DirectiveReader();
  #comments: string[] = [];
  readonly #instructions: ParsedInstruction[] = [];
  readonly #emptyContinuations: { text: string; line: number }[] = [];

  constructor(source: string) {
    this.#lines = source.replace(/^\ufeff/, '').match(/[^\n]*\n|[^\n]+$/g) ?? [];
  }

  parse(): ParsedDockerfile {
    while (this.#next < this.#lines.length) {
      const line = this.#lines[this.#next++]!;
      if (this.#readDirective(line)) continue;
      if (isComment(line)) this.#keepComment(line);
      else this.#readInstruction(line);
    }
    if (this.#instructions.length === 0)
      throw parseError('file with no instructions', this.#lineRange(Math.max(this.#next, 1)));
    return {
      instructions: this.#instructions,
      escape: this.#escape,
      emptyContinuations: this.#emptyContinuations,
    };
  }

  #readDirective(line: string): boolean {
    try {
      const directive = this.#directives.read(line.trimStart().replace(/[\r\n]+$/, ''));
      if (directive?.name === 'escape') this.#escape = checkedEscape(directive.value);
      return directive !== undefined;
    } catch (error) {
      throw parseError((error as Error).message, this.#lineRange(this.#next), error);
    }
  }

  /** An empty comment ends a block of them. */
  #keepComment(line: string): void {
    const comment = line.trimStart().slice(1).trim();
    if (comment === '') this.#comments = [];
    else this.#comments.push(comment);
  }

  #readInstruction(line: string): void {
    const first = this.#next;
    const joined = this.#joinLines(line);
    if (joined === undefined) return;
    const { text, pieces } = joined;
    const range = {
      start: { line: first, column: line.length - line.trimStart().length },
      end: this.#endOfLine(this.#next),
    };
    try {
      const instruction = this.#instructionOf(text, pieces, range);
      instruction.heredocs = this.#readHeredocs(instruction);
      range.end = this.#endOfLine(this.#next);
      if (instruction.trigger !== undefined) instruction.trigger.heredocs = instruction.heredocs;
      this.#instructions.push(instruction);
      this.#comments = [];
    } catch (error) {
      throw parseError(
        (error as Error).message,
        { ...range, end: this.#endOfLine(this.#next) },
        error,
      );
    }
  }

  /** Undefined when there is nothing on the line. */
  #joinLines(line: string): { text: string; pieces: Piece[] } | undefined {
    const start = line.length - line.trimStart().length;
    let { text, isContinued } = this.#withoutContinuation(line.trimStart());
    if (!isContinued && text === '') return undefined;
    const pieces = [{ offset: 0, position: { line: this.#next, column: start } }];
    let hasEmptyLines = false;
    while (isContinued && this.#next < this.#lines.length) {
      const next = this.#lines[this.#next++]!;
      if (isComment(next)) continue;
      if (next.trim() === '') {
        hasEmptyLines = true;
        continue;
      }
      pieces.push({ offset: text.length, position: { line: this.#next, column: 0 } });
      const more = this.#withoutContinuation(next);
      text += more.text;
      isContinued = more.isContinued;
    }
    if (hasEmptyLines) this.#emptyContinuations.push({ text, line: this.#next });
    return { text, pieces };
  }

  /** A line is continued when the escape character is its last one, unless that is escaped itself. */
  #withoutContinuation(line: string): { text: string; isContinued: boolean } {
    const text = line.replace(/[\r\n]+$/, '');
    const trimmed = text.replace(/[ \t]+$/, '');
    const isContinued =
      trimmed.endsWith(this.#escape) && !trimmed.slice(0, -1).endsWith(this.#escape);
    return isContinued ? { text: trimmed.slice(0, -1), isContinued } : { text, isContinued };
  }

  #instructionOf(text: string, pieces: Piece[], range: SourceRange): ParsedInstruction {
    const { name, flags, rest } = splitCommand(text, this.#escape);
    const keyword = name.toLowerCase();
    const where = { text, pieces, range, comments: this.#comments, heredocs: [] };
    const parsed = { name, keyword, flags, ...where };
    if (keyword === 'onbuild' && rest !== '') {
      const offset = text.indexOf(rest);
      const trigger = this.#instructionOf(
        rest,
        pieces.map((piece) => ({ ...piece, offset: piece.offset - offset })),
        range,
      );
      return { ...parsed, args: [trigger.name, ...trigger.args], isJson: trigger.isJson, trigger };
    }
    const parse = argumentParsers[keyword];
    // An instruction that nobody knows is refused with its name later.
    if (parse === undefined) return { ...parsed, args: [], isJson: false };
    return { ...parsed, ...parse(rest, this.#escape) };
  }

  #readHeredocs(instruction: ParsedInstruction): Heredoc[] {
    const { keyword, isJson } = instruction.trigger ?? instruction;
    if (!heredocKeywords.includes(keyword) || isJson || !instruction.text.includes('<<')) return [];
    return heredocsOf(instruction.text).map((heredoc) => ({
      ...heredoc,
      content: this.#heredocContent(heredoc),
    }));
  }

  #heredocContent({ name, chomps }: Heredoc): string {
    let content = '';
    while (this.#next < this.#lines.length) {
      const line = this.#lines[this.#next++]!;
      const text = line.replace(/[\r\n]+$/, '');
      if ((chomps ? text.replace(/^\t+/, '') : text) === name) return content;
      content += line;
    }
    throw new Error(`unterminated heredoc: no line consists of ${name} alone`);
  }

  #lineRange(line: number): SourceRange {
    return { start: { line, column: 0 }, end: this.#endOfLine(line) };
  }

  #endOfLine(line: number): Position {
    return { line, column: (this.#lines[line - 1] ?? '').replace(/[\r\n]+$/, '').length };
  }
}

function checkedEscape(value: string): string {
  if (value === '\\' || value === '`') return value;
  throw new Error(`invalid escape token '${value}' does not match \` or \\`);
}

const isComment = (line: string): boolean => line.trimStart().startsWith('#');
