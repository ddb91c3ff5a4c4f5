/** Which stages there are and which of them each needs, before anything is resolved. */
import type { Instruction, InstructionOf } from '../../dockerfile/instruction.ts';
import { rules } from '../../dockerfile/lint-rules.ts';
import { mountSource } from '../../dockerfile/mount-options.ts';
import { SourceError } from '../../dockerfile/source.ts';
import type { Dockerfile, Stage } from '../../dockerfile/stages.ts';
import { closest, didYouMean } from '../../dockerfile/suggest.ts';
import { type Expansion, expand } from '../../dockerfile/words.ts';
import { invalid } from '../../errors.ts';
import type { Platform } from '../llb/ops.ts';
import { type Conversion, locate } from './conversion.ts';
import { isWithoutCache } from './options.ts';
import { parsePlatform } from './platforms.ts';
import { newStageNode, type StageList, type StageNode, type StageStep } from './stage-node.ts';

/** Fills `conversion.stages`. Throws SourceError. */
export function findStages({ stages }: Dockerfile, conversion: Conversion): void {
  for (const [index, stage] of stages.entries()) {
    try {
      addStage(stage, index, conversion);
    } catch (error) {
      throw locate(error, stage.from.source.range);
    }
  }
  for (const node of [...conversion.stages.all]) {
    for (const instruction of node.stage?.instructions ?? []) {
      try {
        node.steps.push(stepOf(instruction, conversion));
      } catch (error) {
        throw locate(error, instruction.source.range);
      }
      addDependencies(node, node.steps.at(-1)!, conversion.stages);
    }
  }
  refuseCircles(conversion.stages.all);
  // A single stage needs no name to be told from others.
  const [only, ...others] = conversion.stages.all;
  if (only !== undefined && others.length === 0) only.name = '';
}

function addStage(stage: Stage, index: number, conversion: Conversion): void {
  const { from } = stage;
  const { stageName } = from;
  const { stages, contexts, options } = conversion;
  const node = newStageNode({
    stage,
    baseName: baseNameOf(stage, conversion),
    range: from.source.range,
    name: stageName || `stage-${index}`,
  });
  node.platform = platformOf(stage, conversion);
  const platform = node.platform ?? conversion.platform;
  if (stageName !== '')
    node.namedContext = contexts.find(stageName, platform, () => neededPaths(node.paths));
  stages.add(node);
  if (node.namedContext !== undefined) {
    // The context stands for the stage, whatever it is built on.
    node.base = undefined;
    node.stage = { ...stage, instructions: [] };
    return;
  }
  const hasOwnBase = node.baseName !== 'scratch' && node.base === undefined;
  node.stepCount = (hasOwnBase ? 1 : 0) + stage.instructions.filter(isStep).length;
  node.ignoresCache = isWithoutCache(options, stageName);
}

const isStep = ({ kind }: Instruction): boolean => ['add', 'copy', 'run', 'workdir'].includes(kind);

function baseNameOf({ from }: Stage, conversion: Conversion): string {
  const { globalArgs, words } = conversion;
  const expansion = expand(from.base, globalArgs, words);
  reportUndeclared(from, expansion, conversion);
  if (expansion.text === '')
    throw new Error(
      `base name (${from.base}) should not be blank: give the argument a default, or a value with --build-arg`,
    );
  return expansion.text;
}

/** Undefined: what is built for. */
function platformOf({ from }: Stage, conversion: Conversion): Platform | undefined {
  if (from.platform === '') return undefined;
  const { globalArgs, words, options } = conversion;
  const expansion = expand(from.platform, globalArgs, words);
  reportUndeclared(from, expansion, conversion);
  const { text, unmatched } = expansion;
  reportPlatform(from, expansion, conversion);
  const hint = [...unmatched].map((name) => didYouMean(name, globalArgs.keys())).join('');
  if (text === '') throw new Error(`empty platform value from expression ${from.platform}${hint}`);
  try {
    return parsePlatform(text, options.buildPlatform);
  } catch (error) {
    throw new Error(
      `failed to parse platform ${from.platform}: ${(error as Error).message}${hint}`,
      { cause: error },
    );
  }
}

function reportUndeclared(
  { source }: InstructionOf<'from'>,
  { unmatched }: Expansion,
  { linter, globalArgs, declaredArgs }: Conversion,
): void {
  const known = new Set([...globalArgs.keys(), ...declaredArgs]);
  for (const name of unmatched) {
    if (known.has(name)) continue;
    const meant = closest(name, [...known]);
    linter
      .withComments(source.comments)
      .run(
        rules.undefinedArgInFrom,
        source.range,
        `FROM argument '${name}' is not declared${meant === undefined ? '' : ` (did you mean ${meant}?)`}`,
      );
  }
}

function reportPlatform(
  { source, platform, stageName }: InstructionOf<'from'>,
  { text, matched, unmatched }: Expansion,
  { linter, globalArgs, options }: Conversion,
): void {
  const own = linter.withComments(source.comments);
  const isTarget = matched.size === 1 && matched.has('TARGETPLATFORM') && unmatched.size === 0;
  if (isTarget && text === globalArgs.get('TARGETPLATFORM'))
    own.run(
      rules.redundantTargetPlatform,
      source.range,
      `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`,
    );
  if (matched.size > 0 || unmatched.size > 0) return;
  let parsed: Platform;
  try {
    parsed = parsePlatform(text, options.buildPlatform);
  } catch {
    // What is no platform is refused soon.
    return;
  }
  // A stage that says by its name that it is for one platform may be.
  if (stageName.includes(parsed.OS) || stageName.includes(parsed.Architecture)) return;
  own.run(
    rules.fromPlatformFlagConstDisallowed,
    source.range,
    `FROM --platform flag should not use constant value ${JSON.stringify(text)}`,
  );
}

/** Finds the stages that the instruction takes files from; what is no stage becomes one of its own. */
export function stepOf(instruction: Instruction, { stages, words }: Conversion): StageStep {
  const step = { instruction, sources: [] as StageNode[], isOnBuild: false };
  if (instruction.kind === 'copy' && instruction.from !== '') {
    const { from } = instruction;
    if (expand(from, new Map(), words).text !== from)
      throw new Error(
        'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
      );
    const isIndex = /^[-+]?\d+$/.test(from);
    step.sources = [
      isIndex ? stages.numbered(Number(from)) : (stages.named(from) ?? outsider(from, instruction)),
    ];
  }
  if (instruction.kind === 'run')
    step.sources = instruction.mounts.map((mount) => {
      const from = mountSource(mount) || 'scratch';
      return stages.named(from) ?? outsider(from, instruction);
    });
  return step;
}

/** An image or a named context that only an instruction names. */
function outsider(baseName: string, { source }: Instruction): StageNode {
  return newStageNode({ stage: undefined, baseName, range: source.range, name: baseName });
}

export function addDependencies(node: StageNode, step: StageStep, stages: StageList): void {
  for (const source of step.sources) {
    node.dependencies.set(source, step.instruction);
    if (source.stage === undefined) stages.add(source);
  }
}

function refuseCircles(nodes: readonly StageNode[]): void {
  const done = new Set<StageNode>();
  const visit = (node: StageNode, path: readonly StageNode[]) => {
    if (done.has(node)) return;
    for (const [dependency, instruction] of node.dependencies) {
      if (dependency === node || path.includes(dependency))
        throw new SourceError(
          `circular dependency detected on stage: ${dependency.name}`,
          instruction.source.range,
        );
      visit(dependency, [...path, node]);
    }
    done.add(node);
  };
  for (const node of nodes) visit(node, []);
}

/** The stage that is wanted. Throws invalid. */
export function targetOf({ stages, options }: Conversion): StageNode {
  const { target } = options;
  const all = stages.all.filter(({ stage }) => stage !== undefined);
  if (target === '') return all.at(-1)!;
  const found = stages.named(target) ?? (/^\d+$/.test(target) ? all[Number(target)] : undefined);
  if (found !== undefined) return found;
  throw invalid(
    `target stage ${JSON.stringify(target)} could not be found${didYouMean(target, stages.names)}`,
  );
}

/** For a source that brings no more than what is needed; an empty list means all of it. */
export function neededPaths(paths: Iterable<string>): string[] {
  const all = new Set(paths);
  return all.has('/') ? [] : [...all].map((path) => path.replace(/^\/+/, '') || '.').sort();
}
