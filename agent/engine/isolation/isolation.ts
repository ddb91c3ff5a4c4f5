/** Builds the isolation report of one container from facts, sentences and warnings. */
import { existsSync } from 'node:fs';

import { deviceRuleLine } from '../../cgroup/devices.ts';
import type { IsolationReport, NamespaceType } from '../../contract/isolation.ts';
import { joinedContainers } from '../containers/joined-containers.ts';
import { planSpecOf } from '../containers/launch-plan.ts';
import { layerUsage, openLayer } from '../containers/layer.ts';
import type { EngineContext } from '../context.ts';
import { volumesDirectory } from '../paths.ts';
import { devicesOf } from '../spec/devices.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import {
  describeCapabilities,
  describeControlGroup,
  describeIdentity,
  describeKernelPaths,
  describeMounts,
  describeNamespaces,
  describePrivileges,
  describeResourceLimits,
} from './describe.ts';
import { describeDevices } from './describe-devices.ts';
import { describeOtherLimits, type NetworkLimit } from './describe-other-limits.ts';
import { planView } from './plan-view.ts';
import { type RequestedIsolation, requestedIsolation } from './requested.ts';
import type { IsolationView } from './view.ts';
import { warningsOf } from './warnings.ts';

type Parts = Pick<
  EngineContext,
  | 'containers'
  | 'live'
  | 'cgroups'
  | 'paths'
  | 'apiSocket'
  | 'kernelViews'
  | 'userNamespaces'
  | 'disks'
  | 'network'
>;

/** Throws not-found, or conflict when the container ends meanwhile. */
export function isolationReport(parts: Parts, reference: string): IsolationReport {
  const { containers, live, cgroups, paths, apiSocket } = parts;
  const record = containers.find(reference);
  const asked = requestedIsolation(record);
  const isRunning = live.get(record.id) !== undefined;
  const view = isRunning ? kernelView(parts, record, asked) : plannedView(parts, record, asked);
  const engine = {
    socket: apiSocket,
    volumes: volumesDirectory(paths),
    remapsUsers: parts.userNamespaces.byDefault,
  };
  const nameOf = (id: string) => containers.get(id)?.name ?? id.slice(0, 12);
  return {
    containerId: record.id,
    name: record.name,
    source: isRunning ? 'kernel' : 'plan',
    readAt: new Date().toISOString(),
    warnings: warningsOf({ view, record, asked, engine }),
    namespaces: describeNamespaces(view, nameOf),
    controlGroup: describeControlGroup(view, record, cgroups.version),
    capabilities: describeCapabilities(view, asked),
    privileges: describePrivileges(view, asked),
    identity: describeIdentity(view, record),
    mounts: describeMounts(view, record, asked),
    unlistedMounts: view.unlistedMounts,
    kernelPaths: describeKernelPaths(view, asked),
    devices: describeDevices(view),
    resourceLimits: describeResourceLimits(view, asked),
    otherLimits: describeOtherLimits(layerUsage(parts, record), ratesOf(parts, record, isRunning)),
  };
}

/** The network rates; for a stopped container those that a start would set. */
function ratesOf({ network }: Parts, record: ContainerRecord, isRunning: boolean): NetworkLimit[] {
  const asked = record.settings.limits.network ?? {};
  return record.networks.map((endpoint) => ({
    network: endpoint.networkName,
    rates: isRunning && endpoint.endpointId !== '' ? network.rates(endpoint) : asked,
  }));
}

function kernelView(
  { live, kernelViews }: Parts,
  record: ContainerRecord,
  asked: RequestedIsolation,
): IsolationView {
  const running = live.ids().flatMap((id) => {
    const found = live.get(id);
    return found === undefined ? [] : [{ id, process: found.process, cgroup: found.cgroup }];
  });
  const own = running.find(({ id }) => id === record.id);
  if (own === undefined) throw new Error(`container ${record.id} is not among the running ones`);
  const others = running.filter((one) => one !== own);
  const view = kernelViews.isolation(own, others, [...asked.kernelPaths.keys()]);
  if (view.devices.source === 'kernel') return view;
  const { security } = record.settings;
  // A device that was unplugged since the start has no number any more.
  const devices = security.devices.filter(({ hostPath }) => existsSync(hostPath));
  const rules = devicesOf({ ...security, devices }).rules.map(deviceRuleLine);
  return { ...view, devices: { source: 'record', rules } };
}

function plannedView(
  { containers, disks }: Parts,
  record: ContainerRecord,
  asked: RequestedIsolation,
): IsolationView {
  const joined: Partial<Record<NamespaceType, string>> = {};
  for (const [type, reference] of joinedContainers(record))
    joined[type] = (containers.get(reference) ?? containers.byName(reference))?.id ?? reference;
  const spec = plannedSpec({ containers, disks }, record);
  const user = spec.spec.linux.namespaces.find(({ type }) => type === 'user');
  // A container joins the user namespace of the containers whose namespaces it joins.
  const [other] = Object.values(joined);
  if (user?.path !== undefined && other !== undefined) joined.user = other;
  return planView(spec, asked, joined);
}

/** The container's user is looked up in its own files, so the layer has to be open. */
function plannedSpec(
  { containers, disks }: Pick<Parts, 'containers' | 'disks'>,
  record: ContainerRecord,
) {
  const layer = openLayer({ disks }, record);
  try {
    return planSpecOf({ ...record, rootfs: layer.rootfs }, { containers });
  } finally {
    layer.close();
  }
}
