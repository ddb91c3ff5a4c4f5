/** Triggers of images (ONBUILD): instructions that were written elsewhere and count as if they stood at FROM. */
import type { Instruction } from '../../dockerfile/instruction.ts';
import { defaultLintOptions, Linter } from '../../dockerfile/linter.ts';
import { parseDockerfile } from '../../dockerfile/parser.ts';
import { readInstruction } from '../../dockerfile/read-instruction.ts';
import type { SourceRange } from '../../dockerfile/source.ts';

/** Nobody here can change them, so nobody is warned. */
const silent = new Linter(defaultLintOptions, () => {});

/** Throws invalid. */
export function readTrigger(text: string, range: SourceRange): Instruction {
  const [parsed, ...others] = parseDockerfile(text).instructions;
  if (parsed === undefined || others.length > 0)
    throw new Error(`onbuild trigger should be a single expression: ${text}`);
  return readInstruction({ ...parsed, range, pieces: [] }, silent);
}
