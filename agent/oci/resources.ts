/** Translates `linux.resources` to limits, device rules, and the few files that limits do not cover. */
import type { Cgroup } from '../cgroup/cgroup.ts';
import { hasControl, readControlIfAny, readCount, writeLimit } from '../cgroup/control-file.ts';
import type { IoDeviceLimits, Limits } from '../contract/limits.ts';
import type { OciDeviceRule, OciResources, OciThrottle } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { defaultDeviceRules } from '../runtime/default-spec.ts';

/** Limits of the resources; {@link applyOtherLimits} applies the rest. Throws invalid. */
export function limitsOf({ memory, cpu, pids, blockIO, ...rest }: OciResources): Limits {
  return {
    cpu: {
      shares: positive(cpu?.shares),
      quotaMicros: bound(cpu?.quota || undefined),
      periodMicros: positive(cpu?.period),
      burstMicros: cpu?.burst,
      cpus: cpu?.cpus || undefined,
      mems: cpu?.mems || undefined,
    },
    memory: {
      maxBytes: bound(memory?.limit || undefined),
      maxWithSwapBytes: bound(memory?.swap || undefined),
      reservationBytes: bound(memory?.reservation || undefined),
      swappiness: memory?.swappiness,
      ...(memory?.disableOOMKiller && { oomKillDisabled: true }),
    },
    ...pidsLimit(pids?.limit),
    io: { weight: positive(blockIO?.weight), devices: ioDevices(blockIO) },
    hugetlb: (rest.hugepageLimits ?? []).map(({ pageSize, limit }) => ({
      pageBytes: pageBytes(pageSize),
      maxBytes: limit,
    })),
  };
}

/** Parses a page size such as `2MB` of the kernel's files (config-linux.md, "Huge page limits"). */
function pageBytes(pageSize: string): number {
  const [, count, unit] = /^([1-9]\d*)([KMG])B$/.exec(pageSize) ?? [];
  if (count === undefined || unit === undefined)
    throw invalid(`resources.hugepageLimits: "${pageSize}" is no page size; write it as 2MB`);
  return Number(count) * 1024 ** ('KMG'.indexOf(unit) + 1);
}

/** A negative value means not limited (null). */
function bound(value: number | undefined): number | null | undefined {
  return value !== undefined && value < 0 ? null : value;
}

/** Callers in Go write 0 for an absent value. */
function positive(value: number | undefined): number | undefined {
  return value || undefined;
}

function pidsLimit(limit: number | undefined): Pick<Limits, 'pids'> {
  return limit === undefined || limit === 0 ? {} : { pids: bound(limit) };
}

function ioDevices(blockIO: OciResources['blockIO']): IoDeviceLimits[] {
  const devices = new Map<string, IoDeviceLimits>();
  const deviceOf = ({ major, minor }: { major: number; minor: number }) => {
    const device = `${major}:${minor}`;
    const limits = devices.get(device) ?? { device };
    devices.set(device, limits);
    return limits;
  };
  for (const entry of blockIO?.weightDevice ?? [])
    if (entry.weight) deviceOf(entry).weight = entry.weight;
  const set = (
    throttles: OciThrottle[] | undefined,
    name: Exclude<keyof IoDeviceLimits, 'device' | 'weight'>,
  ) => {
    for (const throttle of throttles ?? []) deviceOf(throttle)[name] = throttle.rate;
  };
  set(blockIO?.throttleReadBpsDevice, 'readBytesPerSecond');
  set(blockIO?.throttleWriteBpsDevice, 'writeBytesPerSecond');
  set(blockIO?.throttleReadIOPSDevice, 'readOperationsPerSecond');
  set(blockIO?.throttleWriteIOPSDevice, 'writeOperationsPerSecond');
  return [...devices.values()];
}

/**
 * Rules in their order, followed by the devices that every container may open (config-linux.md, "Default Devices").
 * Everything else is refused.
 */
export function deviceRulesOf({ devices }: OciResources): OciDeviceRule[] {
  const listed = (devices ?? []).map(({ allow, type, major, minor, access }): OciDeviceRule => {
    const kind = type === undefined || type === '' ? 'a' : type;
    if (kind !== 'a' && kind !== 'b' && kind !== 'c')
      throw invalid(`device rule of type "${kind}": use a, b or c`);
    return {
      allow,
      type: kind,
      major: wildcard(major),
      minor: wildcard(minor),
      access: access || 'rwm',
    };
  });
  return [...listed, ...defaultDeviceRules];
}

function wildcard(number: number | undefined): number | undefined {
  return number === undefined || number < 0 ? undefined : number;
}

/** Applies controllers that only the OCI command writes: network tags, realtime runtime, RDMA, and v2's own files. */
export function applyOtherLimits(cgroup: Cgroup, resources: OciResources): void {
  const { network, unified, cpu, rdma } = resources;
  if (network?.classID !== undefined)
    writeLimit(directoryOf(cgroup, 'net_cls'), 'net_cls.classid', network.classID, 'network class');
  for (const { name, priority } of network?.priorities ?? [])
    writeLimit(
      directoryOf(cgroup, 'net_prio'),
      'net_prio.ifpriomap',
      `${name} ${priority}`,
      'network priority',
    );
  if (cpu?.idle !== undefined) writeLimit(directoryOf(cgroup, 'cpu'), 'cpu.idle', cpu.idle, 'idle');
  applyRealtime(cgroup, cpu);
  applyRdma(cgroup, rdma);
  for (const [file, value] of Object.entries(unified ?? {})) writeUnified(cgroup, file, value);
}

/** Only v1 has them. Each parent group must have at least as much, and the kernel enforces runtime <= period. */
function applyRealtime(cgroup: Cgroup, cpu: OciResources['cpu']): void {
  const { realtimePeriod: period, realtimeRuntime: runtime } = cpu ?? {};
  if (!period && !runtime) return;
  const directory = directoryOf(cgroup, 'cpu');
  if (!hasControl(directory, 'cpu.rt_runtime_us'))
    throw invalid('this machine has no realtime limits for cgroups (v1, CONFIG_RT_GROUP_SCHED)');
  const writePeriod = () => {
    if (period) writeLimit(directory, 'cpu.rt_period_us', period, 'realtime period');
  };
  const writeRuntime = () => {
    if (runtime) writeLimit(directory, 'cpu.rt_runtime_us', runtime, 'realtime runtime');
  };
  const growsFirst = !period || period < readCount(directory, 'cpu.rt_runtime_us');
  for (const write of growsFirst ? [writeRuntime, writePeriod] : [writePeriod, writeRuntime])
    write();
}

function applyRdma(cgroup: Cgroup, rdma: OciResources['rdma']): void {
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(rdma ?? {})) {
    const parts = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ];
    if (parts.length === 0 || /\s/.test(device))
      throw invalid(`resources.rdma: give "${device}" hcaHandles or hcaObjects`);
    writeLimit(directoryOf(cgroup, 'rdma'), 'rdma.max', [device, ...parts].join(' '), 'RDMA limit');
  }
}

/** Writes a file of v2 by its name (config-linux.md, "Unified"). */
function writeUnified(cgroup: Cgroup, file: string, value: string): void {
  const directory = cgroup.paths.get('');
  if (directory === undefined || cgroup.paths.size > 1)
    throw invalid('resources.unified needs cgroup v2, and this machine has v1');
  if (file.includes('/')) throw invalid(`resources.unified: "${file}" is not a file's name`);
  if (!hasControl(directory, file))
    throw invalid(`resources.unified: ${whyMissing(directory, file)}`);
  writeLimit(directory, file, value, file);
}

/** Reason in crun's words if it has any, because callers match them. */
function whyMissing(directory: string, file: string): string {
  const [controller = '', ...rest] = file.split('.');
  if (rest.length === 0)
    return `the specified key has not the form CONTROLLER.VALUE \`${file}\`; memory.high is one`;
  const controllers = (readControlIfAny(directory, 'cgroup.controllers') ?? '').split(/\s+/);
  // The files `cgroup.*` need no controller.
  if (controller !== 'cgroup' && !controllers.includes(controller))
    return `the requested cgroup controller \`${controller}\` is not available for ${file}`;
  return `this kernel has no ${file}: no such file or directory`;
}

/** Directory of a controller; on v2 it is the same for all. */
function directoryOf(cgroup: Cgroup, controller: string): string {
  const directory =
    cgroup.paths.get(controller) ?? (cgroup.paths.size === 1 ? cgroup.paths.get('') : undefined);
  if (directory === undefined)
    throw invalid(`this machine has no ${controller} controller; leave the limit out`);
  return directory;
}
