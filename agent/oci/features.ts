/** The verb `features`: prints what this runtime supports (features.md, features-linux.md). */
import { hookNames } from '../contract/oci-runtime.ts';
import { capabilityNames } from '../runtime/capabilities.ts';
import { ociVersion } from '../runtime/default-spec.ts';
import { mountOptionNames } from '../runtime/mount-options.ts';
import { seccompFlagNames, seccompNames } from '../runtime/seccomp.ts';
import { namespaceTypes } from './bundle.ts';
import type { Verb } from './command-line.ts';
import { print } from './print.ts';
import { keepGroups } from './rights.ts';

export const featuresVerb: Verb = {
  takes: '',
  about: 'print what this runtime can do, as JSON',
  options: {},
  run() {
    print(JSON.stringify(features, null, 2));
    return 0;
  },
};

/** Architectures that libseccomp supports. */
const seccompArchitectures = [
  ...[
    'X86',
    'X86_64',
    'X32',
    'ARM',
    'AARCH64',
    'MIPS',
    'MIPS64',
    'MIPS64N32',
    'MIPSEL',
    'MIPSEL64',
  ],
  ...['MIPSEL64N32', 'PPC', 'PPC64', 'PPC64LE', 'S390', 'S390X', 'PARISC', 'PARISC64', 'RISCV64'],
].map((name) => `SCMP_ARCH_${name}`);

/** Features that the runtime implements, even if the machine's kernel lacks them (features-linux.md). */
const features = {
  ociVersionMin: '1.0.0',
  ociVersionMax: ociVersion,
  hooks: hookNames,
  mountOptions: mountOptionNames,
  linux: {
    namespaces: namespaceTypes,
    capabilities: capabilityNames,
    cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true },
    seccomp: {
      enabled: true,
      ...seccompNames,
      archs: seccompArchitectures,
      knownFlags: seccompFlagNames,
      supportedFlags: seccompFlagNames,
    },
    apparmor: { enabled: true },
    selinux: { enabled: true },
    intelRdt: { enabled: true },
    mountExtensions: { idmap: { enabled: true } },
    netDevices: { enabled: false },
  },
  potentiallyUnsafeConfigAnnotations: [keepGroups],
};
