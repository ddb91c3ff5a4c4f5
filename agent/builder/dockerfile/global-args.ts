/** Arguments before the first FROM, and those that are there without being declared (docs: "predefined ARGs"). */
import type { InstructionOf } from '../../dockerfile/instruction.ts';
import { rules } from '../../dockerfile/lint-rules.ts';
import type { Linter } from '../../dockerfile/linter.ts';
import type { Dockerfile } from '../../dockerfile/stages.ts';
import { expand, type WordOptions } from '../../dockerfile/words.ts';
import { parseReference } from '../../images/reference.ts';
import type { Platform, ProxyEnv } from '../llb/ops.ts';
import { locate } from './conversion.ts';
import type { BuildOptions } from './options.ts';
import { platformText } from './platforms.ts';

/** With the client's values before the defaults. Throws SourceError. */
export function globalArguments(
  dockerfile: Dockerfile,
  options: BuildOptions,
  platform: Platform,
): Map<string, string> {
  return declared(dockerfile, platformArguments(dockerfile, options, platform), options.buildArgs);
}

function platformArguments(
  { stages }: Dockerfile,
  { buildPlatform, buildArgs, target }: BuildOptions,
  platform: Platform,
): Map<string, string> {
  const defaults: Record<string, string> = {
    BUILDPLATFORM: platformText({ ...buildPlatform, OSVersion: '' }),
    BUILDOS: buildPlatform.OS,
    BUILDOSVERSION: buildPlatform.OSVersion,
    BUILDARCH: buildPlatform.Architecture,
    BUILDVARIANT: buildPlatform.Variant,
    TARGETPLATFORM: platformText(platform),
    TARGETOS: platform.OS,
    TARGETOSVERSION: platform.OSVersion,
    TARGETARCH: platform.Architecture,
    TARGETVARIANT: platform.Variant,
    TARGETSTAGE: target || stages.at(-1)!.from.stageName || 'default',
  };
  return new Map(
    Object.entries(defaults).map(([name, value]) => [name, buildArgs.get(name) ?? value]),
  );
}

function declared(
  { globalArgs, words }: Dockerfile,
  predefined: ReadonlyMap<string, string>,
  given: ReadonlyMap<string, string>,
): Map<string, string> {
  const values = new Map(predefined);
  for (const instruction of globalArgs) {
    for (const { name, value } of instruction.args) {
      const chosen = given.get(name) ?? expandedDefault(value, values, words, instruction);
      if (chosen === undefined) continue;
      values.delete(name);
      values.set(name, chosen);
    }
  }
  return values;
}

function expandedDefault(
  value: string | undefined,
  values: ReadonlyMap<string, string>,
  words: WordOptions,
  { source }: InstructionOf<'arg'>,
): string | undefined {
  if (value === undefined) return undefined;
  try {
    return expand(value, values, words).text;
  } catch (error) {
    throw locate(error, source.range);
  }
}

/** Base images must make sense without any of the client's values too. */
export function checkDefaults(
  dockerfile: Dockerfile,
  options: BuildOptions,
  platform: Platform,
  linter: Linter,
): void {
  try {
    const predefined = platformArguments(dockerfile, options, platform);
    const values = declared(dockerfile, predefined, new Map());
    for (const { from } of dockerfile.stages) {
      const name = expand(from.base, values, dockerfile.words).text;
      if (isReference(name)) continue;
      linter
        .withComments(from.source.comments)
        .run(
          rules.invalidDefaultArgInFrom,
          from.source.range,
          `Default value for ARG ${from.base} results in empty or invalid base image name`,
        );
    }
  } catch {
    // The build itself fails for the same reason, and says so.
  }
}

function isReference(name: string): boolean {
  try {
    parseReference(name);
    return true;
  } catch {
    return false;
  }
}

/** Proxies reach every process without being declared, and count for no cache. */
export function proxyOf(
  buildArgs: ReadonlyMap<string, string>,
): Omit<ProxyEnv, '$typeName' | '$unknown'> | undefined {
  const proxyFor = (name: string): string =>
    [...buildArgs].sort().findLast(([key]) => key.toLowerCase() === name)?.[1] ?? '';
  const names = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy'];
  if (![...buildArgs.keys()].some((key) => names.includes(key.toLowerCase()))) return undefined;
  return {
    httpProxy: proxyFor('http_proxy'),
    httpsProxy: proxyFor('https_proxy'),
    ftpProxy: proxyFor('ftp_proxy'),
    noProxy: proxyFor('no_proxy'),
    allProxy: proxyFor('all_proxy'),
  };
}
