/** Chooses the image of a multi-platform index (OCI image-index.md; containerd's platforms). */
import { arch } from 'node:process';
import { invalid, notFound } from '../errors.ts';
import type { Descriptor, Platform } from './descriptor.ts';

const architectureOfNode: Record<string, string> = { x64: 'amd64', ia32: '386', arm64: 'arm64' };
const aliases: Record<string, string> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64' };

export function hostPlatform(): Platform {
  return { os: 'linux', architecture: architectureOfNode[arch] ?? arch };
}

/** Parses `linux/arm64/v8`, `linux/amd64` or an architecture alone. Throws invalid. */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    throw invalid(`invalid platform ${JSON.stringify(text)}: write it as linux/amd64`);
  const [os = 'linux', architecture = '', variant] =
    parts.length === 1 && parts[0] !== 'linux' ? ['linux', ...parts] : parts;
  return {
    os,
    architecture: aliases[architecture] ?? (architecture || hostPlatform().architecture),
    ...(variant !== undefined && { variant }),
  };
}

export function platformText(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

/** First manifest of an index for the wanted platform; an exact variant wins. Throws not-found. */
export function choosePlatform(manifests: Descriptor[], wanted: Platform): Descriptor {
  const fitting = manifests.filter(
    ({ platform }) => platform !== undefined && fits(platform, wanted),
  );
  const chosen = fitting.find(({ platform }) => platform?.variant === wanted.variant) ?? fitting[0];
  if (chosen !== undefined) return chosen;
  const offered = manifests
    .map(({ platform }) => platform)
    .filter((platform) => platform !== undefined && platform.os !== 'unknown')
    .map((platform) => platformText(platform as Platform));
  throw notFound(
    `no matching manifest for ${platformText(wanted)} in the manifest list entries` +
      (offered.length > 0 ? ` (there are: ${[...new Set(offered)].join(', ')})` : ''),
  );
}

function fits(offered: Platform, wanted: Platform): boolean {
  if (offered.os !== wanted.os) return false;
  const architecture = aliases[offered.architecture] ?? offered.architecture;
  if (architecture !== wanted.architecture) return false;
  // On arm64 no variant means v8; other variants are kinds of processors (arm v6, v7).
  return (
    wanted.variant === undefined ||
    (offered.variant ?? 'v8') === wanted.variant ||
    architecture !== 'arm'
  );
}
