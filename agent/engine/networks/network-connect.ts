/** Joining and leaving a network, before a container runs or while it does. */
import type { EndpointSettings, EndpointView } from '../../contract/container.ts';
import { CortenError, conflict } from '../../errors.ts';
import { announceNetwork } from '../announce.ts';
import type { LiveContainer } from '../containers/live-containers.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import type { NetworkRecord } from '../state/network-table.ts';
import { enterNetwork } from './enter-network.ts';
import { connectOne, definitionOf, endpointSettings, idleEndpoint } from './network-endpoints.ts';
import { writeHosts } from './network-files.ts';

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
        : await connectLive(context, record, live, settings, network);
    setEndpoints(
      context,
      record,
      [...endpointSettings(record), settings],
      [...record.networks, view],
    );
    refreshFiles(context, id);
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

async function connectLive(
  context: EngineContext,
  record: ContainerRecord,
  live: LiveContainer,
  settings: EndpointSettings,
  network: NetworkRecord,
): Promise<EndpointView> {
  const sandbox = await enterNetwork(live.process);
  try {
    return await connectOne(
      context,
      record,
      { containerId: record.id, networkFd: sandbox.networkFd, netlinkFd: sandbox.netlinkFd },
      settings,
      network,
    );
  } finally {
    sandbox.close();
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
    setEndpoints(
      context,
      record,
      endpointSettings(record).filter(
        (settings) => settings.network !== network.name && settings.network !== network.id,
      ),
      record.networks.filter((other) => other !== endpoint),
    );
    if (endpoint.endpointId === '') return;
    await context.network.disconnect(definitionOf(network), endpoint);
    announceNetwork(context.events, network, 'disconnect', id);
    refreshFiles(context, id);
  });
}

function setEndpoints(
  { containers }: Pick<EngineContext, 'containers'>,
  { id, settings }: ContainerRecord,
  wanted: EndpointSettings[],
  networks: EndpointView[],
): void {
  containers.setDefinition(id, {
    settings: {
      ...settings,
      network: { ...settings.network, mode: wanted.length === 0 ? 'none' : { networks: wanted } },
    },
  });
  containers.setLive(id, { networks });
}

/** The container sees it at its next look. */
function refreshFiles(context: EngineContext, id: string): void {
  if (context.live.get(id) === undefined) return;
  const record = context.containers.require(id);
  writeHosts(context, record, record.networks);
}
