/**
 * Capability names, and which of them a container gets (capabilities(7)). Unknown names are errors:
 * a runtime that skips a name it does not know drops less than it was asked to (CVE-2022-29162).
 */
import { invalid } from '../errors.ts';

/** Every capability in the kernel's order; the index is the number (include/uapi/linux/capability.h). */
export const capabilityNames = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

/** What a container has unless it asks otherwise: Docker's fourteen. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SYS_CHROOT',
  'CAP_MKNOD',
  'CAP_AUDIT_WRITE',
  'CAP_SETFCAP',
];

const numbers = new Map<string, number>(capabilityNames.map((name, number) => [name, number]));

/** The kernel's number of `CAP_…`. Throws invalid for a name it does not know. */
export function capabilityNumber(name: string): number {
  const number = numbers.get(name);
  if (number === undefined) throw unknown(name);
  return number;
}

/**
 * The names in a capability mask of the kernel. A capability that this list lacks is named by its
 * number.
 */
export function namesInMask(mask: bigint): string[] {
  const names: string[] = [];
  for (let number = 0, rest = mask; rest > 0n; number++, rest >>= 1n)
    if (rest & 1n) names.push(capabilityNames[number] ?? `CAP_${number}`);
  return names;
}

/**
 * Accepts `net_admin`, `NET_ADMIN` and `CAP_NET_ADMIN` alike. Throws invalid for an unknown name.
 */
export function canonicalCapability(name: string): string {
  const upper = name.toUpperCase();
  const canonical = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!numbers.has(canonical)) throw unknown(name);
  return canonical;
}

/**
 * The capabilities of a container, in the kernel's order. Either list may contain `ALL`. A name in
 * both lists is added, except beside an added ALL, as in dockerd (moby, daemon/pkg/oci/caps).
 */
export function resolveCapabilities(
  add: readonly string[],
  drop: readonly string[],
  privileged: boolean,
): string[] {
  if (privileged) return [...capabilityNames];
  const added = parse(add);
  const dropped = parse(drop);
  if (added.all) return capabilityNames.filter((name) => !dropped.names.has(name));
  const kept = dropped.all ? [] : defaultCapabilities.filter((name) => !dropped.names.has(name));
  return capabilityNames.filter((name) => kept.includes(name) || added.names.has(name));
}

function parse(names: readonly string[]): { all: boolean; names: Set<string> } {
  const isAll = (name: string) => name.toUpperCase() === 'ALL';
  return {
    all: names.some(isAll),
    names: new Set(names.filter((name) => !isAll(name)).map(canonicalCapability)),
  };
}

function unknown(name: string) {
  return invalid(
    `invalid capability: unknown capability "${name}": use a name of capabilities(7), such as NET_ADMIN, or ALL`,
  );
}
