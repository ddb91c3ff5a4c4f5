/** Seccomp profiles: our own default, and Docker's JSON form that people bring. */
import { constants, release } from 'node:os';
import type { OciSeccomp } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import {
  allowedPersonalities,
  architectureCalls,
  capabilityCalls,
  cloneNamespaceFlags,
  ordinaryCalls,
  refusedIoctls,
  refusedSocketFamilies,
  socketFamilies,
} from './seccomp-profile.data.ts';

type Rule = OciSeccomp['syscalls'][number];
type Argument = NonNullable<Rule['args']>[number];

/** By capabilities. A machine has a handful of sets; people who try them all start over. */
const known = new Map<string, OciSeccomp>();
const knownEntries = 64;

/**
 * The profile of a container that asks for none: EPERM but for what the lists allow. It depends on
 * the capabilities, as Docker's does: who may mount may call mount(2). No architecture is named, so
 * only the machine's own 64-bit calls pass. One set of capabilities always gives the same object,
 * which is compiled once.
 */
export function defaultSeccompProfile(capabilities: readonly string[]): OciSeccomp {
  const key = capabilities.join(' ');
  const profile = known.get(key) ?? defaultProfileFor(capabilities);
  if (known.size >= knownEntries) known.clear();
  known.set(key, profile);
  return profile;
}

function defaultProfileFor(capabilities: readonly string[]): OciSeccomp {
  const has = new Set(capabilities);
  const names = [
    ...Object.values(ordinaryCalls).flat(),
    ...(architectureCalls[process.arch] ?? []),
    ...Object.entries(capabilityCalls).flatMap(([name, calls]) => (has.has(name) ? calls : [])),
  ];
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: constants.errno.EPERM,
    syscalls: [
      allow(names),
      ...(has.has('CAP_SYS_ADMIN') ? [] : cloneWithoutNamespaces()),
      ...socketsByFamily(),
      ...allowedPersonalities.map((value) => allow(['personality'], equal(0, value))),
      ...ioctlsExcept(refusedIoctls),
    ],
  };
}

/**
 * clone3 passes its flags in memory, where a filter cannot look; ENOSYS makes C libraries fall back
 * on clone.
 */
function cloneWithoutNamespaces(): Rule[] {
  return [
    allow(['clone'], masked(0, cloneNamespaceFlags, 0)),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: constants.errno.ENOSYS },
  ];
}

/**
 * Families one by one, never "all but": the kernel reads 32 bits of an argument that the filter sees
 * as 64, so "not equal" and "greater" let 0x1_0000_0028 through as AF_VSOCK.
 */
function socketsByFamily(): Rule[] {
  const lowest = Math.min(...refusedSocketFamilies);
  const above = Array.from({ length: socketFamilies - lowest }, (_, offset) => lowest + offset);
  return [
    allow(['socket'], { index: 0, value: lowest, op: 'SCMP_CMP_LT' }),
    ...above
      .filter((family) => !refusedSocketFamilies.includes(family))
      .map((family) => allow(['socket'], equal(0, family))),
  ];
}

/**
 * Every request but some. For the reason above, and because musl sign-extends requests, only the
 * low 32 bits count; "not equal under a mask" is spelled as the set of bit patterns outside.
 */
function ioctlsExcept(refused: readonly number[]): Rule[] {
  return patternsOutside(refused, 31, 0).map(({ mask, value }) =>
    allow(['ioctl'], masked(1, mask, value)),
  );
}

/** Bit patterns that together match every 32-bit number but `values`, which agree above `bit`. */
function patternsOutside(
  values: readonly number[],
  bit: number,
  prefixMask: number,
): { mask: number; value: number }[] {
  if (bit < 0) return [];
  const mask = (prefixMask | (1 << bit)) >>> 0;
  return [0, 1].flatMap((digit) => {
    const same = values.filter((value) => ((value >>> bit) & 1) === digit);
    if (same.length > 0) return patternsOutside(same, bit - 1, mask);
    const sibling = values[0] ?? 0;
    return [{ mask, value: ((sibling & mask) ^ (1 << bit)) >>> 0 }];
  });
}

function allow(names: string[], ...args: Argument[]): Rule {
  return { names, action: 'SCMP_ACT_ALLOW', ...(args.length > 0 && { args }) };
}

function equal(index: number, value: number): Argument {
  return { index, value, op: 'SCMP_CMP_EQ' };
}

/** In the specification's terms `value` is the mask and `valueTwo` what is left under it. */
function masked(index: number, mask: number, value: number): Argument {
  return { index, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' };
}

/** Go's names of architectures, which profiles use, for Node's. */
const goArchitectures: Record<string, string> = { x64: 'amd64', ia32: '386' };
const seccompArchitectures: Record<string, string> = {
  x64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
  riscv64: 'SCMP_ARCH_RISCV64',
};

interface DockerProfile {
  defaultAction?: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  archMap?: { architecture: string; subArchitectures?: string[] | null }[];
  flags?: string[];
  syscalls?: DockerRule[];
}

interface DockerRule extends Partial<Rule> {
  name?: string;
  includes?: DockerCondition;
  excludes?: DockerCondition;
}

interface DockerCondition {
  caps?: string[];
  arches?: string[];
  minKernel?: string;
}

/**
 * Docker's profile format: OCI's, and conditions on capabilities, architecture and kernel
 * (docs.docker.com, "Seccomp security profiles"). Undefined: an empty profile, which means none.
 * Throws invalid with what is wrong.
 */
export function parseDockerProfile(
  json: string,
  capabilities: readonly string[],
): OciSeccomp | undefined {
  const profile = decode(json);
  if (!profile.defaultAction && !profile.syscalls?.length) return undefined;
  if (!profile.defaultAction) throw invalid('seccomp profile: "defaultAction" is missing');
  if (profile.architectures?.length && profile.archMap?.length)
    throw invalid(
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  const architectures = profile.architectures ?? architecturesOf(profile.archMap ?? []);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet !== undefined && { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures.length > 0 && { architectures }),
    ...(profile.flags && { flags: profile.flags }),
    syscalls: (profile.syscalls ?? [])
      .filter((rule) => applies(rule, new Set(capabilities)))
      .map(plainRule),
  };
}

function decode(json: string): DockerProfile {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw invalid(`Decoding seccomp profile failed: ${(error as Error).message}`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('Decoding seccomp profile failed: it is not a JSON object');
  const profile = value as DockerProfile;
  for (const list of ['architectures', 'archMap', 'flags', 'syscalls'] as const)
    if (profile[list] != null && !Array.isArray(profile[list]))
      throw invalid(`Decoding seccomp profile failed: "${list}" is not a list`);
  return profile;
}

function architecturesOf(map: NonNullable<DockerProfile['archMap']>): string[] {
  const own = map.find((entry) => entry.architecture === seccompArchitectures[process.arch]);
  return own ? [own.architecture, ...(own.subArchitectures ?? [])] : [];
}

/** `excludes` is met by any capability, `includes` only by all, as moby's setupSeccomp has it. */
function applies(rule: DockerRule, capabilities: Set<string>): boolean {
  const { includes = {}, excludes = {} } = rule;
  const architecture = goArchitectures[process.arch] ?? process.arch;
  const excluded =
    excludes.arches?.includes(architecture) ||
    excludes.caps?.some((name) => capabilities.has(name)) ||
    (excludes.minKernel !== undefined && kernelIsAtLeast(excludes.minKernel));
  if (excluded) return false;
  return (
    (!includes.arches?.length || includes.arches.includes(architecture)) &&
    (includes.caps ?? []).every((name) => capabilities.has(name)) &&
    (includes.minKernel === undefined || kernelIsAtLeast(includes.minKernel))
  );
}

function kernelIsAtLeast(version: string): boolean {
  const wanted = /^(\d+)\.(\d+)$/.exec(version);
  if (!wanted)
    throw invalid(`seccomp profile: invalid kernel version "${version}": write it as 4.8`);
  const running = /^(\d+)\.(\d+)/.exec(release()) ?? [];
  const [major, minor] = [Number(wanted[1]), Number(wanted[2])];
  const runningMajor = Number(running[1]);
  return runningMajor > major || (runningMajor === major && Number(running[2]) >= minor);
}

function plainRule(rule: DockerRule): Rule {
  if (rule.name && rule.names?.length)
    throw invalid(
      "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
    );
  const names = rule.name ? [rule.name] : rule.names;
  if (!names?.length || !rule.action)
    throw invalid('seccomp profile: a rule needs "names" and "action"');
  return {
    names,
    action: rule.action,
    ...(rule.errnoRet !== undefined && { errnoRet: rule.errnoRet }),
    ...(rule.args?.length && { args: rule.args }),
  };
}
