/** `features`: what this runtime can do (features.md, features-linux.md). */
import { hookNames } from '../contract/oci-runtime.ts';
import { capabilityNames } from '../runtime/capabilities.ts';
import { ociVersion } from '../runtime/default-spec.ts';
import { mountOptionNames } from '../runtime/mount-options.ts';
import { seccompNames } from '../runtime/seccomp.ts';
import type { Verb } from './command-line.ts';
import { print } from './print.ts';

export const featuresVerb: Verb = {
  takes: '',
  about: 'print what this runtime can do, as JSON',
  options: {},
  run() {
    print(JSON.stringify(features, null, 2));
    return 0;
  },
};

const features = {
  ociVersionMin: '1.0.0',
  ociVersionMax: ociVersion,
  hooks: hookNames,
  mountOptions: mountOptionNames,
  linux: {
    namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'user', 'uts'],
    capabilities: capabilityNames,
    cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: false },
    seccomp: { enabled: true, ...seccompNames },
    apparmor: { enabled: false },
    selinux: { enabled: false },
    intelRdt: { enabled: false },
    mountExtensions: { idmap: { enabled: false } },
  },
};
