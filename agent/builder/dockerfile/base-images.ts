/** Finds the images and contexts that stages are built on, and adds the triggers (ONBUILD) that they bring. */

import type { InstructionOf } from '../../dockerfile/instruction.ts';
import { rules } from '../../dockerfile/lint-rules.ts';
import { didYouMean } from '../../dockerfile/suggest.ts';
import { CortenError } from '../../errors.ts';
import { outputOf } from '../llb/graph.ts';
import type { Platform } from '../llb/ops.ts';
import { imageSource } from '../llb/sources.ts';
import { type Conversion, locate, placeOf, stepName } from './conversion.ts';
import { emptyImage, parseImageDocument, platformOf } from './image-document.ts';
import { fullReference } from './named-contexts.ts';
import { normalized, platformText } from './platforms.ts';
import { addDependencies, neededPaths, stepOf } from './stage-graph.ts';
import { inherit, reachableFrom, type StageNode } from './stage-node.ts';
import { readTrigger } from './triggers.ts';

/** Resolves what the target needs, and again when triggers need more. `wanted` undefined: all stages. */
export async function resolveStages(
  target: StageNode,
  conversion: Conversion,
  wantsAll: boolean,
): Promise<Set<StageNode>> {
  for (;;) {
    const needed = wantsAll ? new Set(conversion.stages.all) : reachableFrom(target);
    await resolveBases(needed, conversion);
    let hasMore = false;
    for (const node of needed) {
      inherit(node);
      hasMore = addTriggers(node, conversion) || hasMore;
    }
    if (!hasMore) return wantsAll ? new Set(conversion.stages.all) : reachableFrom(target);
  }
}

/** Several at once; a failure waits for the others, so that nothing goes on in the background. */
async function resolveBases(needed: ReadonlySet<StageNode>, conversion: Conversion): Promise<void> {
  const nodes = conversion.stages.all.filter(
    (node) => needed.has(node) && node.base === undefined && !node.isResolved,
  );
  for (const node of nodes) node.isResolved = true;
  const outcomes = await Promise.allSettled(nodes.map((node) => resolveBase(node, conversion)));
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'fulfilled') continue;
    const { range } = nodes[index]!;
    throw range === undefined ? outcome.reason : locate(outcome.reason, range);
  }
}

async function resolveBase(node: StageNode, conversion: Conversion): Promise<void> {
  const { contexts, platform: target } = conversion;
  const platform = node.platform ?? target;
  // What an instruction names has no instructions of its own.
  if (node.stage === undefined) node.isConverted = true;
  if (node.namedContext === undefined && node.baseName === 'scratch') {
    node.image = emptyImage(target);
    node.platform = target;
    return;
  }
  if (node.namedContext !== undefined) {
    const { tree, image } = await node.namedContext.load();
    node.isConverted = true;
    node.state.tree = tree;
    if (image === undefined) return;
    adopt(node, { ...image, created: undefined });
    node.platform = platformOf(image) ?? node.platform;
    return;
  }
  const paths = () => neededPaths(node.paths);
  const context = contexts.find(node.baseName, platform, paths);
  if (context === undefined) return resolveImage(node, platform, conversion);
  const { tree, image = emptyImage(platform) } = await context.load();
  node.state.tree = tree;
  adopt(node, image);
  node.platform = platform;
}

function adopt(node: StageNode, image: StageNode['image']): void {
  node.baseImage = structuredClone(image);
  const { created: _, ...rest } = structuredClone(image);
  node.image = rest;
}

async function resolveImage(
  node: StageNode,
  wanted: Platform,
  conversion: Conversion,
): Promise<void> {
  const { bridge, options, isPlatformImplicit, stages } = conversion;
  const name = fullReference(node.baseName);
  const prefix = options.isMultiPlatform ? `${platformText(wanted)} ` : '';
  let resolved: Awaited<ReturnType<typeof bridge.resolveImage>>;
  try {
    resolved = await bridge.resolveImage({
      reference: name,
      platform: wanted,
      mode: options.resolveMode,
      logName: `[${prefix}internal] load metadata for ${name}`,
    });
  } catch (error) {
    throw withHint(error, node.baseName, stages.names);
  }
  const image = parseImageDocument(resolved.config);
  adopt(node, image);
  const platform =
    node.platform === undefined && isPlatformImplicit
      ? foundPlatform(node, wanted, conversion)
      : wanted;
  node.platform = platform;
  reportPlatform(node, platform, conversion);
  const isEmpty =
    image.rootfs.diff_ids.length === 0 && image.history.every((line) => line.empty_layer === true);
  if (isEmpty) return;
  const { reference } = resolved;
  const shown =
    node.stage === undefined
      ? `FROM ${reference}`
      : stepName(node, `FROM ${reference}`, conversion);
  node.state.tree = outputOf(
    imageSource(reference, {
      platform,
      mode: options.resolveMode,
      details: {
        name: shown,
        ...(node.range !== undefined && { place: placeOf(node.range, conversion) }),
        description: {
          'com.docker.dockerfile.v1.command': node.stage?.from.source.text.trim() ?? '',
        },
      },
    }),
  );
}

/** The image's own platform, where this machine can run it. */
function foundPlatform(node: StageNode, wanted: Platform, { options }: Conversion): Platform {
  const { os = '', architecture = '' } = node.image;
  const { OS, Architecture } = options.buildPlatform;
  return OS === os && Architecture === architecture ? options.buildPlatform : wanted;
}

function reportPlatform(node: StageNode, platform: Platform, { linter }: Conversion): void {
  const { os = '', architecture = '', variant = '' } = node.image;
  if (os === '' || (platform.OS === os && platform.Architecture === architecture)) return;
  if (node.range === undefined) return;
  const actual = normalized({
    OS: os,
    Architecture: architecture,
    Variant: variant,
    OSVersion: '',
  });
  linter.run(
    rules.invalidBaseImagePlatform,
    node.range,
    `Base image ${node.stage?.from.base ?? node.baseName} was pulled with platform ${JSON.stringify(platformText(actual))}, expected ${JSON.stringify(platformText(platform))} for current build`,
  );
}

const frequentImages = ['alpine', 'busybox', 'centos', 'debian', 'golang', 'ubuntu', 'fedora'];

function withHint(error: unknown, name: string, stageNames: readonly string[]): unknown {
  if (!(error instanceof CortenError)) return error;
  const tagged = frequentImages.map((image) => `${image}:latest`);
  const hint = didYouMean(name, [...stageNames, ...frequentImages, ...tagged]);
  return new CortenError(error.kind, `${name}: ${error.message}${hint}`, { cause: error });
}

/** The base's triggers come first. Whether they need further stages is returned. */
function addTriggers(node: StageNode, conversion: Conversion): boolean {
  const triggers = [...(node.image.config.OnBuild ?? [])];
  if (node.base !== undefined && !node.areTriggersAdded) {
    const own = node.base.steps.map(({ instruction }) => instruction);
    triggers.push(
      ...own
        .filter(
          (instruction): instruction is InstructionOf<'onbuild'> => instruction.kind === 'onbuild',
        )
        .map(({ trigger }) => trigger),
    );
    node.areTriggersAdded = true;
  }
  delete node.image.config.OnBuild;
  if (triggers.length === 0 || node.range === undefined || node.stage === undefined) return false;
  const { range } = node;
  let needsMore = false;
  const steps = triggers.map((trigger) => {
    const step = { ...stepOf(readTrigger(trigger, range), conversion), isOnBuild: true };
    addDependencies(node, step, conversion.stages);
    needsMore ||= step.sources.length > 0;
    return step;
  });
  node.steps = [...steps, ...node.steps];
  node.stepCount += steps.length;
  return needsMore;
}
