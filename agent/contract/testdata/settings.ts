/** The settings of a container that says nothing, for tests that change what they are about. */
import type { ContainerSettings } from '../container.ts';

export const plainSecurity: ContainerSettings['security'] = {
  privileged: false,
  addCapabilities: [],
  dropCapabilities: [],
  noNewPrivileges: true,
  seccomp: 'default',
  devices: [],
  deviceRules: [],
};

export const plainNetwork: ContainerSettings['network'] = {
  mode: 'none',
  ports: [],
  publishAll: false,
  exposedPorts: [],
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  extraHosts: [],
};

export const bridgeNetwork: ContainerSettings['network'] = {
  ...plainNetwork,
  mode: { networks: [{ network: 'bridge', aliases: [] }] },
};

export function plainSettings(change: Partial<ContainerSettings> = {}): ContainerSettings {
  return {
    image: 'corten/starter',
    env: [],
    labels: {},
    terminal: false,
    openStdin: false,
    stdinOnce: false,
    init: false,
    autoRemove: false,
    readOnlyRootfs: false,
    security: plainSecurity,
    sysctls: {},
    ulimits: [],
    extraGroups: [],
    namespaces: { pid: 'private', ipc: 'private', uts: 'private', cgroup: 'private' },
    mounts: [],
    network: plainNetwork,
    limits: {},
    restart: { name: 'no', maximumRetryCount: 0 },
    log: { driver: 'json-file', options: {} },
    ...change,
  };
}
