/** Ready-made views for tests, each with sensible values that a test changes where it matters. */
import type { ContainerSettings, ContainerView } from '../../contract/container.ts';
import type { IsolationReport } from '../../contract/isolation.ts';
import { bridgeNetwork, plainSettings } from '../../contract/testdata/settings.ts';
import type { ContainerUsage } from '../containers/backend.ts';

export function settingsOf(changes: Partial<ContainerSettings> = {}): ContainerSettings {
  return plainSettings({ network: bridgeNetwork, ...changes });
}

export function viewOf(changes: Partial<ContainerView> = {}): ContainerView {
  return {
    id: 'ab'.repeat(32),
    name: 'web',
    createdAt: new Date('2026-01-02T03:04:05.678Z'),
    imageId: `sha256:${'1'.repeat(64)}`,
    settings: settingsOf(),
    process: { path: 'sleep', args: ['10'], env: ['PATH=/bin'], workingDirectory: '/', user: '' },
    state: {
      status: 'running',
      pid: 77,
      exitCode: 0,
      oomKilled: false,
      error: '',
      startedAt: new Date('2026-01-02T03:04:06Z'),
      restartCount: 0,
    },
    mounts: [],
    networks: [],
    ports: [],
    networkSandboxId: 'sandbox',
    logDirectory: '/logs',
    rootfs: { upper: '/upper', work: '/work', lowers: ['/l2', '/l1'] },
    files: { hosts: '/hosts', hostname: '/hostname', resolvConf: '/resolv.conf' },
    origin: { config: {}, hostConfig: {}, networkingConfig: {} },
    ...changes,
  };
}

export function emptyUsage(changes: Partial<ContainerUsage> = {}): ContainerUsage {
  return {
    readAt: new Date(),
    status: 'running',
    systemCpuNanos: 2_000_000_000,
    onlineCpus: 2,
    networks: {
      eth0: {
        rxBytes: 1,
        rxPackets: 2,
        rxErrors: 0,
        rxDropped: 0,
        txBytes: 3,
        txPackets: 4,
        txErrors: 0,
        txDropped: 0,
      },
    },
    cpu: {
      totalNanos: 1_000_000,
      userNanos: 600_000,
      systemNanos: 400_000,
      periods: 0,
      throttledPeriods: 0,
      throttledNanos: 0,
    },
    memory: {
      usageBytes: 2_000_000,
      maxUsageBytes: undefined,
      limitBytes: 64_000_000,
      swapBytes: 0,
      inactiveFileBytes: 500_000,
      failures: 0,
      oomKills: 0,
      stat: { inactive_file: 500_000 },
    },
    pids: { current: 1, limit: undefined, refusals: 0 },
    stall: undefined,
    io: [
      { major: 8, minor: 0, readBytes: 5, writeBytes: 6, readOperations: 7, writeOperations: 8 },
    ],
    ...changes,
  };
}

/** A report with one item of a kind: what it says is the engine's own matter. */
export function reportOf({ id, name, state, settings }: ContainerView): IsolationReport {
  const isRunning = state.status === 'running';
  return {
    containerId: id,
    name,
    source: isRunning ? 'kernel' : 'plan',
    readAt: '2026-01-02T03:04:05.678Z',
    warnings: [],
    namespaces: [
      {
        id: 'namespace.pid.own',
        type: 'pid',
        ...(isRunning && { insideId: 4026532201, hostId: 4026531836 }),
        scope: 'own',
        sharedWith: [],
        meaning: 'It sees and can signal only its own processes.',
      },
    ],
    controlGroup: {
      id: 'control-group',
      meaning: 'Everything it runs is counted and limited together.',
      version: 1,
      asked: settings.limits,
      controllers: [],
    },
    capabilities: [],
    privileges: [],
    identity: {
      id: 'identity.root',
      uid: 0,
      gid: 0,
      groups: [],
      hostUid: 0,
      hostGid: 0,
      asked: '',
      uidMap: [],
      gidMap: [],
      meaning: 'It runs as root.',
    },
    mounts: [],
    unlistedMounts: 0,
    kernelPaths: [],
    devices: [],
    resourceLimits: [],
    otherLimits: [],
  };
}
