/** What a build came to, before anything is exported: file trees by platform and what is known about them. */
import type { Platform } from './llb/ops.ts';
import type { Ref } from './solver/solver.ts';

/** In BuildKit's shape (frontend/gateway/pb, Result), since clients may put one together themselves. */
export interface BuildResult {
  /** Of a build for one platform; undefined with `refs`, and for the empty tree. */
  ref: Ref | undefined;
  /** By the platform's key, which `refs.platforms` in `metadata` lists. */
  refs: ReadonlyMap<string, Ref | undefined>;
  /** `containerimage.config`, with `/<key>` where there are several; `refs.platforms`; whatever a client adds. */
  metadata: ReadonlyMap<string, Uint8Array>;
}

/** One image, or one tree, of the result. */
export interface PlatformResult {
  /** `linux/amd64`; empty when the result does not say. */
  key: string;
  platform: Platform | undefined;
  ref: Ref | undefined;
  /** The OCI image configuration without layers and history of their digests; undefined for raw LLB. */
  config: Uint8Array | undefined;
}

interface ListedPlatform {
  ID: string;
  Platform: { os: string; architecture: string; variant?: string; 'os.version'?: string };
}

/** In the order of `refs.platforms`. Throws a SyntaxError when that is no JSON. */
export function platformResults({ ref, refs, metadata }: BuildResult): PlatformResult[] {
  const config = metadata.get('containerimage.config');
  const listed = platformsIn(metadata);
  if (refs.size === 0)
    return [{ key: listed[0]?.ID ?? '', platform: platformOf(listed[0]), ref, config }];
  const keys = listed.length > 0 ? listed.map(({ ID }) => ID) : [...refs.keys()];
  return keys.map((key) => ({
    key,
    platform: platformOf(listed.find(({ ID }) => ID === key)),
    ref: refs.get(key),
    config: metadata.get(`containerimage.config/${key}`) ?? config,
  }));
}

function platformsIn(metadata: BuildResult['metadata']): ListedPlatform[] {
  const bytes = metadata.get('refs.platforms');
  if (bytes === undefined) return [];
  const { Platforms } = JSON.parse(Buffer.from(bytes).toString()) as {
    Platforms?: ListedPlatform[];
  };
  return Platforms ?? [];
}

function platformOf(listed: ListedPlatform | undefined): Platform | undefined {
  if (listed === undefined) return undefined;
  const { os, architecture, variant = '', 'os.version': OSVersion = '' } = listed.Platform;
  return {
    $typeName: 'pb.Platform',
    OS: os,
    Architecture: architecture,
    Variant: variant,
    OSVersion,
    OSFeatures: [],
  };
}
