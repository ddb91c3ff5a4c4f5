/** HostConfig for inspect: dockerd's defaults, overridden by the client's values and then by the current limits. */
import type { ContainerView } from '../../contract/container.ts';
import type { HostConfig } from '../../contract/docker.ts';
import { defaultPeriodMicros, type Limits } from '../../contract/limits.ts';
import type { Wire } from '../wire.ts';
import { logOptionsNow } from './create-log.ts';

export function hostConfigOf(view: ContainerView): Wire<HostConfig> {
  const asked = Object.fromEntries(
    Object.entries(view.origin.hostConfig).filter(([, value]) => value !== null),
  ) as HostConfig;
  return {
    ...defaults,
    ...asked,
    ...limitFields(view.settings.limits, asked),
    LogConfig: logConfigOf(view),
    NetworkMode: networkModeOf(view),
    RestartPolicy: {
      Name: view.settings.restart.name,
      MaximumRetryCount: view.settings.restart.maximumRetryCount,
    },
    // It is shown even when it was the machine's default or came from --security-opt, which dockerd does not show.
    UsernsMode: view.settings.namespaces.user === 'auto' ? 'auto' : (asked.UsernsMode ?? ''),
    IpcMode: asked.IpcMode || 'private',
    CgroupnsMode: view.settings.namespaces.cgroup,
    ShmSize: view.settings.shmBytes ?? 64 * 1024 * 1024,
    Runtime: asked.Runtime || 'runc',
    MaskedPaths: view.settings.security.maskedPaths ?? maskedPaths(view),
    ReadonlyPaths: view.settings.security.readonlyPaths ?? readonlyPaths(view),
  };
}

function logConfigOf({ settings }: ContainerView): Wire<HostConfig>['LogConfig'] {
  const type = settings.log.driver as NonNullable<HostConfig['LogConfig']>['Type'];
  return { Type: type, Config: logOptionsNow(settings.log.options, settings.limits.log) };
}

/** The network mode in `ps` and `inspect`: the first network's name. */
export function networkModeOf({ settings }: ContainerView): string {
  const { mode } = settings.network;
  if (typeof mode === 'string') return mode;
  if ('container' in mode) return `container:${mode.container}`;
  return mode.networks[0]?.network ?? 'none';
}

/** Current limits in Docker's fields. A quota is shown in the fields in which it was requested. */
function limitFields({ cpu, memory, pids, io, disk }: Limits, asked: HostConfig): Wire<HostConfig> {
  const inQuota = Boolean(asked.CpuQuota || asked.CpuPeriod);
  const quota = cpu?.quotaMicros ?? 0;
  const period = cpu?.periodMicros ?? 0;
  return {
    CpuShares: cpu?.shares ?? 0,
    NanoCpus:
      inQuota || quota === 0 ? 0 : Math.round((quota / (period || defaultPeriodMicros)) * 1e9),
    CpuQuota: inQuota ? quota : 0,
    CpuPeriod: inQuota ? period : 0,
    CpusetCpus: cpu?.cpus ?? '',
    CpusetMems: cpu?.mems ?? '',
    Memory: memory?.maxBytes ?? 0,
    MemorySwap: memory?.maxWithSwapBytes ?? (asked.MemorySwap === -1 ? -1 : 0),
    MemoryReservation: memory?.reservationBytes ?? 0,
    MemorySwappiness: memory?.swappiness ?? null,
    OomKillDisable: memory?.oomKillDisabled ?? false,
    PidsLimit: pids ?? null,
    BlkioWeight: io?.weight ?? 0,
    ...storageFields(disk),
  };
}

function storageFields(disk: Limits['disk']): Pick<HostConfig, 'StorageOpt'> {
  const options = {
    ...(disk?.maxBytes && { size: String(disk.maxBytes) }),
    ...(disk?.maxInodes && { inodes: String(disk.maxInodes) }),
  };
  return Object.keys(options).length === 0 ? {} : { StorageOpt: options };
}

/** All fields that dockerd 26 shows for a container created from only an image. */
const defaults: Wire<HostConfig> = {
  Binds: null,
  ContainerIDFile: '',
  PortBindings: {},
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null,
  CapDrop: null,
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  ExtraHosts: null,
  GroupAdd: null,
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  Isolation: '',
  CgroupParent: '',
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  Devices: [],
  DeviceCgroupRules: null,
  DeviceRequests: null,
  Ulimits: [],
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
};

function maskedPaths({ settings }: ContainerView): string[] {
  if (settings.security.privileged) return [];
  return [
    ...['acpi', 'asound', 'dynamic_debug', 'interrupts', 'kcore', 'keys', 'latency_stats'],
    ...['sched_debug', 'scsi', 'timer_list', 'timer_stats'],
  ]
    .map((name) => `/proc/${name}`)
    .concat('/sys/firmware', '/sys/devices/virtual/powercap');
}

function readonlyPaths({ settings }: ContainerView): string[] {
  if (settings.security.privileged) return [];
  return ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`);
}
