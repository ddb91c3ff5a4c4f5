/** What all of one conversion shares, and how its steps are named and located. */
import { create } from '@bufbuild/protobuf';
import { rules } from '../../dockerfile/lint-rules.ts';
import type { Linter } from '../../dockerfile/linter.ts';
import type { ParsedInstruction } from '../../dockerfile/parser.ts';
import { SourceError, type SourceRange } from '../../dockerfile/source.ts';
import { closest } from '../../dockerfile/suggest.ts';
import { expand, type WordOptions } from '../../dockerfile/words.ts';
import { CortenError } from '../../errors.ts';
import type { FrontEndBridge } from '../front-end.ts';
import type { Edge, Place, VertexDetails } from '../llb/graph.ts';
import {
  type Platform,
  type ProxyEnv,
  type Range,
  RangeSchema,
  type SourceInfo,
} from '../llb/ops.ts';
import type { PatternMatcher } from '../patterns.ts';
import type { HistoryLine } from './image-document.ts';
import type { ContextFinder } from './named-contexts.ts';
import type { BuildOptions } from './options.ts';
import { parsePlatform, platformText } from './platforms.ts';
import type { StageList, StageNode } from './stage-node.ts';

export interface Conversion {
  options: BuildOptions;
  bridge: FrontEndBridge;
  /** What is built for. */
  platform: Platform;
  /** The client did not say, so an image for another platform decides itself. */
  isPlatformImplicit: boolean;
  /** ARGs before the first FROM, and those that are there without being declared. */
  globalArgs: ReadonlyMap<string, string>;
  /** Names of the ARGs before the first FROM, with and without a value. */
  declaredArgs: ReadonlySet<string>;
  /** How words are expanded: with which escape character. */
  words: WordOptions;
  linter: Linter;
  contexts: ContextFinder;
  stages: StageList;
  /** The build context. */
  context: Edge | undefined;
  /** Undefined when nothing is ignored. */
  ignored: PatternMatcher | undefined;
  info: SourceInfo;
  /** SOURCE_DATE_EPOCH. */
  epoch: Date | undefined;
  proxy: Omit<ProxyEnv, '$typeName' | '$unknown'> | undefined;
}

/** The word with the values of the stage's variables; those that have none are reported. */
export function expandWord(
  word: string,
  node: StageNode,
  source: ParsedInstruction,
  conversion: Conversion,
  options: WordOptions = conversion.words,
): string {
  const { text, unmatched } = expand(word, node.state.env, options);
  reportUndefined(unmatched, node, source, conversion);
  return text;
}

export function reportUndefined(
  names: ReadonlySet<string>,
  { buildArgs, state }: StageNode,
  { comments, range }: ParsedInstruction,
  { linter }: Conversion,
): void {
  const declared = new Set(buildArgs.map(({ name }) => name));
  for (const name of names) {
    if (declared.has(name) || notVariables.includes(name)) continue;
    const meant = closest(name, [...state.env.keys()]);
    linter
      .withComments(comments)
      .run(
        rules.undefinedVar,
        range,
        `Usage of undefined variable '$${name}'${meant === undefined ? '' : ` (did you mean $${meant}?)`}`,
      );
  }
}

/** Arguments that speak to the builder and are no variables of steps. */
export const notVariables = ['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE'];

/** `[build 2/4] RUN make`. Counts the step. */
export function stepName(node: StageNode, text: string, conversion: Conversion): string {
  node.stepIndex++;
  return currentStepName(node, text, conversion);
}

/** The same for the step that was counted last. */
export function currentStepName(node: StageNode, text: string, conversion: Conversion): string {
  if (node.stepCount === 0) return text;
  const width = Math.floor(1 + Math.log10(node.stepCount));
  const platform = platformPrefix(node, conversion);
  const stage = node.name === '' ? '' : `${node.name} `;
  const index = String(node.stepIndex).padStart(width);
  return `[${platform}${stage}${index}/${node.stepCount}] ${node.isOnBuild ? 'ONBUILD ' : ''}${text}`;
}

/** `linux/amd64 `, and `linux/amd64->arm64 ` where one platform builds for another. */
function platformPrefix(node: StageNode, { options, platform }: Conversion): string {
  if (!options.isMultiPlatform) return '';
  const own = node.platform ?? platform;
  const target = targetOf(node.state.env, own);
  const text = platformText(own);
  if (target === undefined) return `${text} `;
  if (target.OS !== own.OS) return `${text}->${platformText(target)} `;
  if (target.Architecture === own.Architecture) return `${text} `;
  return `${text}->${[target.Architecture, target.Variant].filter(Boolean).join('/')} `;
}

/** What the stage's TARGET variables say, where they are declared. */
function targetOf(env: ReadonlyMap<string, string>, own: Platform): Platform | undefined {
  const whole = env.get('TARGETPLATFORM');
  const system = env.get('TARGETOS');
  const architecture = env.get('TARGETARCH');
  const variant = env.get('TARGETVARIANT');
  if ([whole, system, architecture, variant].every((value) => value === undefined))
    return undefined;
  try {
    if (whole !== undefined) return parsePlatform(whole, own);
    const parts = [system || own.OS, architecture || own.Architecture, variant ?? ''];
    return parsePlatform(parts.filter(Boolean).join('/'), own);
  } catch {
    // A value that is no platform is shown to nobody.
    return undefined;
  }
}

/** The instruction as it is shown: its name in capitals, and variables with their values. */
export function shownText(
  text: string,
  env: { get(name: string): string | undefined },
  options: WordOptions,
): string {
  let shown = text.trim();
  try {
    shown = expand(shown, env, options).text;
  } catch {
    // It is shown as it was written.
  }
  return shown.replace(/^\S+/, (name) => name.toUpperCase());
}

export function detailsOf(
  name: string,
  {
    source,
    node,
    conversion,
  }: { source: ParsedInstruction; node: StageNode; conversion: Conversion },
): VertexDetails {
  return { name, place: placeOf(source.range, conversion), ignoresCache: node.ignoresCache };
}

export function placeOf(range: SourceRange, { info }: Pick<Conversion, 'info'>): Place {
  return { info, ranges: [rangeOf(range)] };
}

export function rangeOf({ start, end }: SourceRange): Range {
  return create(RangeSchema, {
    start: { line: start.line, character: start.column },
    end: { line: end.line, character: end.column },
  });
}

/** Adds what an instruction did to the image's history. */
export function record(
  node: StageNode,
  createdBy: string,
  { hasLayer, epoch }: { hasLayer: boolean; epoch: Date | undefined },
): void {
  const line: HistoryLine = {
    ...(epoch !== undefined && { created: timeText(epoch) }),
    created_by: createdBy,
    comment: 'buildkit.dockerfile.v0',
    ...(!hasLayer && { empty_layer: true }),
  };
  node.image.history.push(line);
}

/** RFC 3339, without a fraction where there is none, as Go writes it. */
const timeText = (time: Date): string => time.toISOString().replace('.000Z', 'Z');

/** The failure with the place of the instruction that it is about. */
export function locate(error: unknown, range: SourceRange): unknown {
  if (error instanceof SourceError || !(error instanceof Error)) return error;
  const isOurs = error instanceof CortenError || error.constructor === Error;
  if (!isOurs) return error;
  const kind = error instanceof CortenError ? error.kind : 'invalid';
  return new SourceError(error.message, range, { kind, cause: error });
}
