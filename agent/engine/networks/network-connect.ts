/** Connects and disconnects networks of a container, running or not. */
import type { EndpointSettings, EndpointView } from '../../contract/container.ts';
import { CortenError, conflict } from '../../errors.ts';
import { defaultRouteEndpoint } from '../../network/default-route.ts';
import type { SandboxNetwork } from '../../network/networks.ts';
import type { RunningContainer } from '../containers/running-containers.ts';
import type { EngineContext } from '../context.ts';
import { emitNetworkEvent } from '../emit-events.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import type { NetworkRecord } from '../state/network-table.ts';
import { enterNetwork } from './enter-network.ts';
import {
  connectOne,
  definitionOf,
  endpointSettings,
  exposedOnly,
  idleEndpoint,
  publishPorts,
  wantedBindings,
} from './network-endpoints.ts';
import { refreshResolvConf, writeHosts } from './network-files.ts';

export async function connectNetwork(
  context: EngineContext,
  reference: string,
  container: string,
  endpoint: EndpointSettings,
): Promise<void> {
  const network = context.networks.find(reference);
  const { id } = context.containers.find(container);
  await context.locks.run(id, async () => {
    const record = context.containers.require(id);
    definitionOf(network);
    const settings = { ...endpoint, network: network.name };
    refuseUnconnectable(record, network);
    const live = context.live.get(id);
    const view =
      live === undefined
        ? idleEndpoint(context.networks, settings)
        : await inNetwork(record, live, (sandbox) =>
            connectOne(context, record, sandbox, settings, network),
          );
    setEndpoints(
      context,
      record,
      [...endpointSettings(record), settings],
      [...record.networks, view],
    );
    if (live === undefined) return;
    try {
      await followNetworks(context, record, live);
    } catch (error) {
      // A port that it publishes is in use, so the connection is undone.
      const left = await leave(context, context.containers.require(id), network, view);
      writeHosts(context, left, left.networks);
      throw error;
    }
  });
}

function refuseUnconnectable(record: ContainerRecord, network: NetworkRecord): void {
  const { mode } = record.settings.network;
  if (mode === 'host')
    throw conflict(
      "Container cannot be connected to host network or from it: it uses the machine's own.",
    );
  if (typeof mode === 'object' && 'container' in mode)
    throw conflict(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  if (record.networks.some(({ networkId }) => networkId === network.id))
    throw new CortenError(
      'forbidden',
      `endpoint with name ${record.name} already exists in network ${network.name}`,
    );
}

async function inNetwork<T>(
  { id }: ContainerRecord,
  { process }: RunningContainer,
  use: (sandbox: SandboxNetwork) => T | Promise<T>,
): Promise<T> {
  const { networkFd, netlinkFd, close } = await enterNetwork(process);
  try {
    return await use({ containerId: id, networkFd, netlinkFd });
  } finally {
    close();
  }
}

export async function disconnectNetwork(
  context: EngineContext,
  reference: string,
  container: string,
  { force }: { force: boolean },
): Promise<void> {
  const network = context.networks.find(reference);
  const { id } = context.containers.find(container);
  await context.locks.run(id, async () => {
    const record = context.containers.require(id);
    const endpoint = record.networks.find(({ networkId }) => networkId === network.id);
    if (record.settings.network.mode === 'host')
      throw conflict(
        'Container cannot be disconnected from host network or connected to host network',
      );
    if (endpoint === undefined) {
      if (force) return;
      throw new CortenError(
        'forbidden',
        `container ${id} is not connected to network ${network.name}`,
      );
    }
    await leave(context, record, network, endpoint);
    const live = context.live.get(id);
    if (live !== undefined && endpoint.endpointId !== '')
      await followNetworks(context, record, live);
  });
}

/**
 * The kernel comes first: what it refuses can be tried again, and an agent killed before the record
 * is written only knows an endpoint too many, which can be removed twice.
 */
async function leave(
  context: EngineContext,
  record: ContainerRecord,
  network: NetworkRecord,
  endpoint: EndpointView,
): Promise<ContainerRecord> {
  const isConnected = endpoint.endpointId !== '';
  if (isConnected) await context.network.disconnect(definitionOf(network), endpoint);
  const left = setEndpoints(
    context,
    record,
    endpointSettings(record).filter(
      (settings) => settings.network !== network.name && settings.network !== network.id,
    ),
    record.networks.filter(({ networkId }) => networkId !== network.id),
  );
  if (isConnected) emitNetworkEvent(context.events, network, 'disconnect', record.id);
  return left;
}

function setEndpoints(
  { containers }: Pick<EngineContext, 'containers'>,
  { id, settings }: ContainerRecord,
  wanted: EndpointSettings[],
  networks: EndpointView[],
): ContainerRecord {
  containers.setDefinition(id, {
    settings: {
      ...settings,
      network: { ...settings.network, mode: wanted.length === 0 ? 'none' : { networks: wanted } },
    },
  });
  return containers.setLive(id, { networks });
}

/**
 * Updates what a running container has from its networks: names, name servers, default route and
 * published ports.
 */
async function followNetworks(
  context: EngineContext,
  before: ContainerRecord,
  live: RunningContainer,
): Promise<void> {
  const after = context.containers.require(before.id);
  // The container reads both files at its next lookup.
  writeHosts(context, after, after.networks);
  refreshResolvConf(context, before, after);
  const definitions = context.networks.definitions();
  const exit = defaultRouteEndpoint(after.networks, definitions);
  const earlier = defaultRouteEndpoint(before.networks, definitions);
  if (exit?.endpointId === earlier?.endpointId) return;
  if (exit !== undefined)
    await inNetwork(after, live, (sandbox) => context.network.ensureDefaultRoute(sandbox, exit));
  await movePorts(context, before, earlier === undefined);
}

/** Published ports keep their numbers when they move to another network. */
async function movePorts(
  context: EngineContext,
  { id, ports }: ContainerRecord,
  isFirst: boolean,
): Promise<void> {
  await context.network.unpublish(id);
  const record = context.containers.setLive(id, {
    ports: exposedOnly(context.containers.require(id), []),
  });
  const bindings = isFirst
    ? wantedBindings(record)
    : ports.filter(({ hostPort }) => hostPort !== undefined);
  context.containers.setLive(id, {
    ports: await publishPorts(context, record, record.networks, bindings),
  });
}
