/** Platforms as containerd writes them (github.com/containerd/platforms): `linux/arm64`, `arm/v7`, `amd64`. */
import { create } from '@bufbuild/protobuf';
import { invalid } from '../../errors.ts';
import { type Platform, PlatformSchema } from '../llb/ops.ts';

const systems = [
  'linux',
  'windows',
  'darwin',
  'freebsd',
  'openbsd',
  'netbsd',
  'dragonfly',
  'solaris',
  'aix',
  'plan9',
  'js',
  'wasip1',
  'android',
  'illumos',
  'ios',
];
const architectures = [
  '386',
  'amd64',
  'arm',
  'arm64',
  'loong64',
  'mips',
  'mipsle',
  'mips64',
  'mips64le',
  'ppc64',
  'ppc64le',
  'riscv64',
  's390x',
  'wasm',
];

/** What is left out of the text is taken from `host`. Throws invalid. */
export function parsePlatform(text: string, host: Platform): Platform {
  const parts = text.split('/');
  const isWellFormed =
    parts.length <= 3 &&
    parts.every((part) => /^[A-Za-z0-9_.-]+(\([A-Za-z0-9_.-]*\))?$/.test(part));
  if (!isWellFormed)
    throw invalid(`invalid platform ${JSON.stringify(text)}: write it as linux/amd64`);
  const [, system = '', version = ''] = /^([^(]*)(?:\((.*)\))?$/.exec(parts[0]!) ?? [];
  const first = normalSystem(system);
  if (parts.length > 1)
    return normalized({
      OS: first,
      Architecture: parts[1]!,
      Variant: parts[2] ?? '',
      OSVersion: version,
    });
  if (systems.includes(first))
    return normalized({
      OS: first,
      Architecture: host.Architecture,
      Variant: host.Variant,
      OSVersion: version,
    });
  const alone = normalized({ OS: host.OS, Architecture: system, Variant: '', OSVersion: '' });
  if (architectures.includes(alone.Architecture)) return alone;
  throw invalid(`${JSON.stringify(text)}: unknown operating system or architecture`);
}

interface Parts {
  OS: string;
  Architecture: string;
  Variant: string;
  OSVersion: string;
}

/** In the names that registries use; variants that every machine of an architecture has are left out. */
export function normalized({ OS, Architecture, Variant, OSVersion }: Parts): Platform {
  const [architecture, variant] = normalArchitecture(
    Architecture.toLowerCase(),
    Variant.toLowerCase(),
  );
  return create(PlatformSchema, {
    OS: normalSystem(OS),
    Architecture: architecture,
    Variant: variant,
    OSVersion,
  });
}

function normalSystem(system: string): string {
  const lower = system.toLowerCase();
  return lower === 'macos' ? 'darwin' : lower;
}

function normalArchitecture(architecture: string, variant: string): [string, string] {
  switch (architecture) {
    case 'i386':
      return ['386', ''];
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return ['amd64', variant === 'v1' ? '' : variant];
    case 'aarch64':
    case 'arm64':
      return ['arm64', variant === '8' || variant === 'v8' ? '' : variant];
    case 'armhf':
      return ['arm', 'v7'];
    case 'armel':
      return ['arm', 'v6'];
    case 'arm':
      if (variant === '') return ['arm', 'v7'];
      return ['arm', /^\d$/.test(variant) ? `v${variant}` : variant];
    default:
      return [architecture, variant];
  }
}

/** `linux/arm/v7`, with a version of the system in parentheses where there is one. */
export function platformText({ OS, Architecture, Variant, OSVersion }: Parts): string {
  const system = OSVersion === '' ? OS : `${OS}(${OSVersion})`;
  return [system, Architecture, Variant].filter((part) => part !== '').join('/');
}
