/** A whole Dockerfile: arguments before the first FROM, and stages. */
import type { Instruction, InstructionOf } from './instruction.ts';
import { rules } from './lint-rules.ts';
import type { Linter } from './linter.ts';
import type { ParsedDockerfile } from './parser.ts';
import { readInstruction } from './read-instruction.ts';
import { parseError } from './source.ts';
import type { WordOptions } from './words.ts';

export interface Dockerfile {
  globalArgs: InstructionOf<'arg'>[];
  stages: Stage[];
  /** How its words are expanded: with which escape character. */
  words: WordOptions;
}

export interface Stage {
  from: InstructionOf<'from'>;
  /** All but FROM. */
  instructions: Instruction[];
}

/** Throws SourceError. */
export function readDockerfile(parsed: ParsedDockerfile, linter: Linter): Dockerfile {
  for (const { line } of parsed.emptyContinuations) {
    const place = { line, column: 0 };
    linter.run(rules.noEmptyContinuation, { start: place, end: place }, 'Empty continuation line');
  }
  const globalArgs: InstructionOf<'arg'>[] = [];
  const stages: Stage[] = [];
  for (const source of parsed.instructions) {
    const instruction = readInstruction(source, linter);
    if (instruction.kind === 'from') stages.push({ from: instruction, instructions: [] });
    else if (stages.length > 0) stages.at(-1)!.instructions.push(instruction);
    else if (instruction.kind === 'arg') globalArgs.push(instruction);
    else
      throw parseError(
        `no build stage in current context: ${source.name} needs a FROM before it`,
        source.range,
      );
  }
  if (stages.length === 0)
    throw parseError(
      'dockerfile contains no stages to build: it needs a FROM',
      parsed.instructions.at(-1)!.range,
    );
  checkStageNames(stages, linter);
  checkCasing(stages, linter);
  return { globalArgs, stages, words: { escape: parsed.escape } };
}

const reservedNames = ['context', 'scratch'];

function checkStageNames(stages: readonly Stage[], linter: Linter): void {
  const seen = new Set<string>();
  for (const { from } of stages) {
    const { stageName, source } = from;
    if (stageName === '') continue;
    const own = linter.withComments(source.comments);
    if (reservedNames.includes(stageName))
      own.run(
        rules.reservedStageName,
        source.range,
        `Stage name should not use the same name as reserved stage ${JSON.stringify(stageName)}`,
      );
    if (seen.has(stageName))
      own.run(
        rules.duplicateStageName,
        source.range,
        `Duplicate stage name ${JSON.stringify(stageName)}, stage names should be unique`,
      );
    seen.add(stageName);
  }
}

/** The case that most keywords have is the right one; those in mixed case count for neither. */
function checkCasing(stages: readonly Stage[], linter: Linter): void {
  const sources = stages.flatMap(({ from, instructions }) =>
    [from, ...instructions].map(({ source }) => source),
  );
  const lower = sources.filter(({ name }) => name === name.toLowerCase()).length;
  const upper = sources.filter(({ name }) => name === name.toUpperCase()).length;
  const isLower = lower > upper;
  const casing = isLower ? 'lowercase' : 'uppercase';
  for (const { name, range, comments } of sources) {
    if (name === (isLower ? name.toLowerCase() : name.toUpperCase())) continue;
    linter
      .withComments(comments)
      .run(
        rules.consistentInstructionCasing,
        range,
        `Command '${name}' should match the case of the command majority (${casing})`,
      );
  }
}
