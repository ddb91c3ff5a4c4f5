/** The attributes of image exporters (BuildKit: exporter/containerimage/exptypes/keys.go), read and checked. */
import { CortenError, invalid } from '../../errors.ts';
import { parsePlatform, platformText } from '../../images/platform.ts';
import { fullTag, parseReference } from '../../images/reference.ts';
import type { BuildResult } from '../result.ts';

type Attributes = Readonly<Record<string, string>>;

export interface ImageOptions {
  /** Full names with tags; empty when the image gets none. */
  names: string[];
  compression: LayerCompression;
  usesDockerTypes: boolean;
  annotations: Annotation[];
  /** `SOURCE_DATE_EPOCH`: no time in the configuration is later. */
  epoch: Date | undefined;
  /** Also files in the build's own layers get no later time. */
  rewritesTimestamps: boolean;
}

export interface LayerCompression {
  /** Undefined: whatever is at hand. */
  type: 'none' | 'gzip' | 'zstd' | undefined;
  level: number | undefined;
}

export interface Annotation {
  place: 'manifest' | 'manifest-descriptor' | 'index' | 'index-descriptor';
  /** `linux/amd64`; undefined: every platform's. */
  platform: string | undefined;
  key: string;
  value: string;
}

/** Throws invalid for values that make no sense, and not-implemented for what BuildKit has and we do not. */
export function readImageOptions(attributes: Attributes, result: BuildResult): ImageOptions {
  const compression = compressionOf(attributes);
  const usesDockerTypes = flag(attributes, 'oci-mediatypes') === false;
  if (usesDockerTypes && compression.type === 'zstd')
    throw invalid('exporter option "compression=zstd" conflicts with "oci-mediatypes=false"');
  return {
    names: namesOf(attributes, result),
    compression,
    usesDockerTypes,
    annotations: annotationsOf({ ...strings(result.metadata), ...attributes }),
    epoch: epochOf(attributes, result),
    rewritesTimestamps: flag(attributes, 'rewrite-timestamp') ?? false,
  };
}

/** Undefined when the attribute is absent or empty. Throws invalid for what Go does not take as a boolean. */
export function flag(attributes: Attributes, name: string): boolean | undefined {
  const text = attributes[name];
  if (text === undefined || text === '') return undefined;
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  throw invalid(`non-bool value specified for ${name}: ${JSON.stringify(text)}`);
}

/** The exporter's own attribute comes before what the front end read from the build argument. */
export function epochOf(attributes: Attributes, { metadata }: BuildResult): Date | undefined {
  const own = attributes['source-date-epoch'];
  const text = own ?? textIn(metadata, 'source.date.epoch');
  if (text === undefined || text === '') return undefined;
  if (!/^-?\d{1,12}$/.test(text))
    throw invalid(
      `invalid SOURCE_DATE_EPOCH: ${JSON.stringify(text)} is not a number of seconds since 1970`,
    );
  return new Date(Number(text) * 1000);
}

export const nanosOf = (time: Date): bigint => BigInt(time.getTime()) * 1_000_000n;

/** With `*` the names come from the client's result. */
function namesOf(attributes: Attributes, { metadata }: BuildResult): string[] {
  const text = attributes.name === '*' ? textIn(metadata, 'image.name') : attributes.name;
  return (text ?? '')
    .split(',')
    .filter((name) => name !== '')
    .map((name) => {
      const reference = parseReference(name);
      return fullTag({ ...reference, tag: reference.tag ?? 'latest' });
    });
}

function compressionOf(attributes: Attributes): LayerCompression {
  const type = attributes.compression || undefined;
  if (type === 'estargz' || type === 'nydus')
    throw new CortenError(
      'not-implemented',
      `compression=${type} is not supported; there are uncompressed, gzip and zstd`,
    );
  if (type !== undefined && !['uncompressed', 'gzip', 'zstd'].includes(type))
    throw invalid(`unsupported layer compression type ${JSON.stringify(type)}`);
  const level = attributes['compression-level'] || undefined;
  if (level !== undefined && !/^\d{1,2}$/.test(level))
    throw invalid(`non-int value ${JSON.stringify(level)} specified for compression-level`);
  return {
    type: type === 'uncompressed' ? 'none' : (type as LayerCompression['type']),
    level: level === undefined ? undefined : boundedLevel(type, Number(level)),
  };
}

const highestLevels: Record<string, number> = { gzip: 9, zstd: 22 };

function boundedLevel(type: string | undefined, level: number): number {
  return Math.min(level, highestLevels[type ?? 'gzip'] ?? level);
}

const annotationKey = /^annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/-]+)\])?\.(\S+)$/;
const places = ['manifest', 'manifest-descriptor', 'index', 'index-descriptor'];

function annotationsOf(attributes: Attributes): Annotation[] {
  return Object.entries(attributes).flatMap(([name, value]) => {
    const [whole, place = 'manifest', platform, key = ''] = annotationKey.exec(name) ?? [];
    if (whole === undefined) return [];
    if (!places.includes(place)) throw invalid(`unrecognized annotation type ${place}`);
    return [
      {
        place: place as Annotation['place'],
        platform: platform && platformText(parsePlatform(platform)),
        key,
        value,
      },
    ];
  });
}

/** The annotations of one place and platform, as an object. */
export function annotationsAt(
  annotations: readonly Annotation[],
  place: Annotation['place'],
  platform: string,
): Record<string, string> {
  return Object.fromEntries(
    annotations
      .filter((each) => each.place === place && (each.platform ?? platform) === platform)
      .map(({ key, value }) => [key, value]),
  );
}

function strings(metadata: BuildResult['metadata']): Record<string, string> {
  return Object.fromEntries([...metadata.keys()].map((key) => [key, textIn(metadata, key) ?? '']));
}

function textIn(metadata: BuildResult['metadata'], key: string): string | undefined {
  const bytes = metadata.get(key);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}
