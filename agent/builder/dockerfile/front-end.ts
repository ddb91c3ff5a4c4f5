/**
 * The Dockerfile front end (`dockerfile.v0`, and `# syntax=docker/dockerfile:1`): reads the client's options and its
 * Dockerfile and answers with a graph and an image configuration for each platform.
 */
import { findDirective } from '../../dockerfile/directives.ts';
import {
  defaultLintOptions,
  Linter,
  type LintOptions,
  type LintWarning,
  parseLintOptions,
} from '../../dockerfile/linter.ts';
import { parseDockerfile } from '../../dockerfile/parser.ts';
import { SourceError } from '../../dockerfile/source.ts';
import { readDockerfile } from '../../dockerfile/stages.ts';
import { type FrontEndInput, type FrontEndResult, SourceFailure } from '../front-end.ts';
import { definitionOf } from '../llb/graph.ts';
import type { Platform } from '../llb/ops.ts';
import { PatternMatcher } from '../patterns.ts';
import { type BuildContext, openBuildContext } from './build-context.ts';
import { type Conversion, rangeOf } from './conversion.ts';
import { contextPathsOf, convertStages } from './convert.ts';
import { epochOf } from './epoch.ts';
import { checkDefaults, globalArguments, proxyOf } from './global-args.ts';
import { contextFinder } from './named-contexts.ts';
import { type BuildOptions, readOptions } from './options.ts';
import { normalized, platformText } from './platforms.ts';
import { StageList, type StageNode } from './stage-node.ts';
import { checkSyntax } from './syntax.ts';

/** Throws SourceFailure for what makes no sense in the Dockerfile, invalid for what makes none in the options. */
export async function dockerfileFrontEnd(input: FrontEndInput): Promise<FrontEndResult> {
  const options = readOptions(input.options, input.bridge.platforms);
  const context = await openBuildContext(input, options);
  try {
    checkSyntax(context.dockerfile.text, options);
    return await build({ input, options, context });
  } catch (error) {
    throw withSource(error, context);
  }
}

interface Build {
  input: FrontEndInput;
  options: BuildOptions;
  context: BuildContext;
}

async function build({ input, options, context }: Build): Promise<FrontEndResult> {
  const { targetPlatforms, buildPlatform, isMultiPlatform } = options;
  const wanted = targetPlatforms.length > 0 ? targetPlatforms : [buildPlatform];
  // Read once for all platforms, and begun before the images are asked for.
  const ignored = context.ignored();
  const results: FrontEndResult['results'] = new Map();
  const outcomes = await Promise.allSettled(
    wanted.map(async (platform, index) => {
      // The same warnings for each platform would be told only once.
      const warn = index === 0 ? warner(input, context) : () => {};
      const { node } = await convert(
        { input, options, context },
        { platform, warn, ignored: await ignored, wantsAll: false },
      );
      return {
        definition: definitionOf(node.state.tree),
        config: Buffer.from(JSON.stringify(node.image)),
        platform: normalized(platform),
      };
    }),
  );
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'rejected') throw outcome.reason;
    results.set(platformText(normalized(wanted[index]!)), outcome.value);
  }
  return { results, isMultiPlatform, metadata: new Map() };
}

interface ConvertRequest {
  platform: Platform;
  warn: (warning: LintWarning) => void;
  ignored: readonly string[];
  wantsAll: boolean;
}

async function convert(
  { input, options, context }: Build,
  { platform, warn, ignored, wantsAll }: ConvertRequest,
): Promise<{ node: StageNode; conversion: Conversion }> {
  const { text } = context.dockerfile;
  const linter = new Linter(lintOptionsOf(text, options), warn);
  const dockerfile = readDockerfile(parseDockerfile(text), linter);
  checkDefaults(dockerfile, options, platform, linter);
  const globalArgs = globalArguments(dockerfile, options, platform);
  const conversion: Conversion = {
    options,
    bridge: input.bridge,
    platform,
    isPlatformImplicit: options.targetPlatforms.length === 0,
    globalArgs,
    declaredArgs: new Set(
      dockerfile.globalArgs.flatMap(({ args }) => args.map(({ name }) => name)),
    ),
    words: dockerfile.words,
    linter,
    contexts: contextFinder(options, input.inputs, input.bridge),
    stages: new StageList(),
    context: context.tree(() => contextPathsOf(conversion), ignored),
    ignored: ignored.length > 0 ? new PatternMatcher(ignored) : undefined,
    info: context.info,
    epoch: epochOf(options, globalArgs),
    proxy: proxyOf(options.buildArgs),
  };
  const node = await convertStages(dockerfile, conversion, wantsAll);
  linter.finish();
  return { node, conversion };
}

function lintOptionsOf(text: string, { lint }: BuildOptions): LintOptions {
  if (lint !== undefined) return lint;
  const directive = findDirective(text, 'check');
  if (directive === undefined) return defaultLintOptions;
  return parseLintOptions(directive.value.split(' ', 1)[0]!);
}

/** Warnings belong to the step that read the Dockerfile. */
function warner({ bridge }: FrontEndInput, { info }: BuildContext) {
  return ({ rule, message, range }: LintWarning): void =>
    bridge.warn({
      level: 1,
      short: `${rule.name}: ${message} (line ${range.start.line})`,
      detail: [rule.description],
      url: rule.url,
      info,
      ranges: [rangeOf(range)],
    });
}

/** With the file and its lines, which clients print. */
function withSource(error: unknown, { info }: BuildContext): unknown {
  if (!(error instanceof SourceError)) return error;
  const { line, column } = error.range.start;
  return new SourceFailure(`${error.message} at ${info.filename}:${line}:${column + 1}`, {
    info,
    ranges: [rangeOf(error.range)],
    kind: error.kind,
    cause: error,
  });
}
