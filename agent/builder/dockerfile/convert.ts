/** From a Dockerfile to the graph of one platform's image, as BuildKit's dockerfile2llb makes it. */
import type { Instruction, InstructionOf } from '../../dockerfile/instruction.ts';
import type { Dockerfile } from '../../dockerfile/stages.ts';
import { resolveStages } from './base-images.ts';
import { type Conversion, locate } from './conversion.ts';
import { convertCopy } from './convert-copy.ts';
import { convertRun } from './convert-run.ts';
import {
  convertArg,
  convertCmd,
  convertEntrypoint,
  convertEnv,
  convertExpose,
  convertHealthCheck,
  convertLabel,
  convertMaintainer,
  convertOnBuild,
  convertShell,
  convertStopSignal,
  convertUser,
  convertVolume,
  convertWorkdir,
  setDirectory,
  setState,
} from './convert-settings.ts';
import { defaultPath, setVariable, variablesOf } from './image-document.ts';
import { findStages, neededPaths, targetOf } from './stage-graph.ts';
import { inherit, type StageNode, type StageStep } from './stage-node.ts';

/**
 * The wanted stage, converted with all that it needs; with `wantsAll` every stage, which only checks want. Throws
 * SourceError.
 */
export async function convertStages(
  dockerfile: Dockerfile,
  conversion: Conversion,
  wantsAll: boolean,
): Promise<StageNode> {
  findStages(dockerfile, conversion);
  const target = targetOf(conversion);
  const needed = await resolveStages(target, conversion, wantsAll);
  for (const node of conversion.stages.all)
    if (needed.has(node) && !node.isConverted) convertStage(node, conversion);
  // All of the result is used.
  target.paths.add('/');
  Object.assign(target.image.config, labelled(target, conversion));
  applyPlatform(target, conversion);
  return target;
}

/** Paths of the build context that the converted stages use. */
export function contextPathsOf({ stages }: Conversion): string[] {
  return neededPaths(stages.all.flatMap(({ contextPaths }) => [...contextPaths]));
}

function convertStage(node: StageNode, conversion: Conversion): void {
  inherit(node);
  node.isConverted = true;
  node.platform ??= conversion.platform;
  begin(node);
  for (const step of node.steps) {
    node.isOnBuild = step.isOnBuild;
    const { range } = step.instruction.source;
    try {
      convertStep(node, step, conversion);
    } catch (error) {
      throw locate(error, range);
    }
  }
}

/** What the base image's configuration says of processes. */
function begin(node: StageNode): void {
  const { config } = node.image;
  const variables = variablesOf(config);
  if (!variables.some(([name]) => name === 'PATH')) setVariable(config, 'PATH', defaultPath);
  for (const [name, value] of variablesOf(config)) setState(node, name, value);
  if (config.WorkingDir) setDirectory(node, config.WorkingDir);
  if (config.User) node.state.user = config.User;
}

type Converters = {
  [Kind in Instruction['kind']]?: (
    node: StageNode,
    instruction: InstructionOf<Kind>,
    conversion: Conversion,
  ) => void;
};

const settings: Converters = {
  arg: convertArg,
  cmd: convertCmd,
  entrypoint: convertEntrypoint,
  env: convertEnv,
  expose: convertExpose,
  healthcheck: convertHealthCheck,
  label: convertLabel,
  maintainer: convertMaintainer,
  onbuild: convertOnBuild,
  shell: convertShell,
  stopsignal: convertStopSignal,
  user: convertUser,
  volume: convertVolume,
  workdir: convertWorkdir,
};

function convertStep(node: StageNode, step: StageStep, conversion: Conversion): void {
  const { instruction } = step;
  if (instruction.kind === 'run') convertRun(node, step, conversion);
  else if (instruction.kind === 'copy' || instruction.kind === 'add')
    convertCopy(node, step, conversion);
  else {
    const convert = settings[instruction.kind] as
      | ((node: StageNode, instruction: Instruction, conversion: Conversion) => void)
      | undefined;
    convert?.(node, instruction, conversion);
  }
}

function labelled({ image }: StageNode, { options }: Conversion) {
  if (Object.keys(options.labels).length === 0) return {};
  return { Labels: { ...image.config.Labels, ...options.labels } };
}

/** The image is for the platform that was asked for, whatever its base says. */
function applyPlatform({ image }: StageNode, { isPlatformImplicit, platform }: Conversion): void {
  if (isPlatformImplicit) return;
  const { OS, Architecture, Variant, OSVersion } = platform;
  const isSame = image.os === OS && image.architecture === Architecture;
  image.os = OS;
  image.architecture = Architecture;
  if (Variant !== '') image.variant = Variant;
  else if (!isSame) delete image.variant;
  if (OSVersion !== '') image['os.version'] = OSVersion;
  else if (!isSame) delete image['os.version'];
}
