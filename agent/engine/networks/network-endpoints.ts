/** Connects a container to its networks before it runs, and releases them after it ended. */
import type {
  EndpointSettings,
  EndpointView,
  PortBinding,
  PublishedPort,
} from '../../contract/container.ts';
import { CortenError, conflict } from '../../errors.ts';
import { defaultRouteEndpoint } from '../../network/default-route.ts';
import type { NetworkDefinition, SandboxNetwork } from '../../network/networks.ts';
import { type EngineContext, reporter } from '../context.ts';
import { emitNetworkEvent } from '../emit-events.ts';
import { newId, shortId } from '../ids.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import type { NetworkRecord } from '../state/network-table.ts';
import type { Undo } from '../undo.ts';

const anyAddress = '0.0.0.0';

type EndpointContext = Pick<EngineContext, 'networks' | 'network' | 'events' | 'report'>;

/** An endpoint of a container that does not run: it names the network but has no address. */
export function idleEndpoint(
  networks: EngineContext['networks'],
  settings: EndpointSettings,
): EndpointView {
  const network = networks
    .all()
    .find(({ id, name }) => id === settings.network || name === settings.network);
  return {
    networkId: network?.id ?? '',
    networkName: network?.name ?? settings.network,
    endpointId: '',
    ipv4Address: '',
    prefixLength: 0,
    gateway: '',
    macAddress: '',
    aliases: settings.aliases,
  };
}

export function endpointSettings(record: Pick<ContainerRecord, 'settings'>): EndpointSettings[] {
  const { mode } = record.settings.network;
  return typeof mode === 'object' && 'networks' in mode ? mode.networks : [];
}

/**
 * Connects every requested network in order. The first one that is not internal gives the default
 * route.
 */
export async function connectAll(
  context: EndpointContext,
  record: ContainerRecord,
  sandbox: SandboxNetwork,
  undo: Undo,
): Promise<EndpointView[]> {
  const endpoints: EndpointView[] = [];
  for (const [index, settings] of endpointSettings(record).entries()) {
    const network = context.networks.find(settings.network);
    const definition = definitionOf(network);
    const endpoint = await connectOne(context, record, sandbox, settings, network, index);
    undo.push(async () => {
      await context.network.disconnect(definition, endpoint);
      emitNetworkEvent(context.events, network, 'disconnect', record.id);
    });
    endpoints.push(endpoint);
  }
  return endpoints;
}

export async function connectOne(
  context: EndpointContext,
  record: ContainerRecord,
  sandbox: SandboxNetwork,
  settings: EndpointSettings,
  network: NetworkRecord,
  index?: number,
): Promise<EndpointView> {
  const definition = definitionOf(network);
  await context.network.ensure(definition);
  const endpoint = await context.network.connect(
    definition,
    sandbox,
    {
      ...settings,
      // Other containers find it by its name, its short id and its aliases.
      aliases: [...new Set([...settings.aliases, shortId(record.id)])],
      endpointId: newId(),
      containerName: record.name,
    },
    index,
  );
  const rates = record.settings.limits.network;
  if (rates !== undefined) {
    try {
      await context.network.limitRates(endpoint, rates);
    } catch (error) {
      await context.network.disconnect(definition, endpoint);
      throw error;
    }
  }
  emitNetworkEvent(context.events, network, 'connect', record.id);
  return endpoint;
}

/** Publishes the container's ports on its first network that is not internal. */
export async function publishPorts(
  context: Pick<EngineContext, 'network' | 'networks' | 'containers'>,
  record: ContainerRecord,
  endpoints: readonly EndpointView[],
  bindings: readonly PortBinding[] = wantedBindings(record),
): Promise<PublishedPort[]> {
  const endpoint = defaultRouteEndpoint(endpoints, context.networks.definitions());
  const exposed = exposedOnly(record, bindings);
  if (endpoint === undefined || bindings.length === 0) return exposed;
  for (const binding of bindings) refuseNeighbours(context, record, binding);
  return [...(await context.network.publish(record.id, endpoint, bindings)), ...exposed];
}

/**
 * Refuses a host port of another container. The port's socket belongs to the agent, so only this
 * check knows which container holds it.
 */
function refuseNeighbours(
  { containers }: Pick<EngineContext, 'containers'>,
  record: ContainerRecord,
  { protocol, hostAddress = anyAddress, hostPort = 0, hostPortEnd = hostPort }: PortBinding,
): void {
  // Any port of a range will do, and the network driver finds a free one.
  if (hostPort === 0 || hostPortEnd !== hostPort) return;
  const meets = (other: string) =>
    [other, hostAddress].some((address) => address === anyAddress || address === '') ||
    other === hostAddress;
  const neighbour = containers
    .all()
    .find(
      ({ id, ports }) =>
        id !== record.id &&
        ports.some(
          (port) =>
            port.protocol === protocol &&
            port.hostPort === hostPort &&
            meets(port.hostAddress ?? anyAddress),
        ),
    );
  // Testcontainers and others look for dockerd's status and message.
  if (neighbour !== undefined)
    throw new CortenError(
      'internal',
      `Bind for ${hostAddress || anyAddress}:${hostPort} failed: port is already allocated by container ${neighbour.name}; stop it, or publish on another port`,
    );
}

export function wantedBindings(record: ContainerRecord): PortBinding[] {
  const { ports, publishAll, exposedPorts } = record.settings.network;
  if (!publishAll) return ports;
  const extra = exposedPorts
    .map(parsePort)
    .filter(
      (port) =>
        !ports.some(
          (given) => given.containerPort === port.containerPort && given.protocol === port.protocol,
        ),
    );
  return [...ports, ...extra];
}

/** Ports that the image exposes and nobody publishes. They are only shown. */
export function exposedOnly(
  record: Pick<ContainerRecord, 'settings'>,
  published: readonly PortBinding[],
): PublishedPort[] {
  return record.settings.network.exposedPorts
    .map(parsePort)
    .filter(
      (port) =>
        !published.some(
          (other) => other.containerPort === port.containerPort && other.protocol === port.protocol,
        ),
    );
}

/** Parses `80/tcp`. A bare number means TCP. */
function parsePort(text: string): { containerPort: number; protocol: 'tcp' | 'udp' } {
  const [number = '', protocol = 'tcp'] = text.split('/');
  return { containerPort: Number(number), protocol: protocol === 'udp' ? 'udp' : 'tcp' };
}

/** Releases addresses and ports. The container has ended, so a failure is only reported. */
export async function releaseEndpoints(
  context: EndpointContext,
  record: Pick<ContainerRecord, 'id' | 'name' | 'networks' | 'ports'>,
): Promise<void> {
  if (record.ports.some(({ hostPort }) => hostPort !== undefined))
    await context.network
      .unpublish(record.id)
      .catch(reporter(context, `unpublish the ports of ${record.name}`));
  for (const endpoint of record.networks) {
    if (endpoint.endpointId === '') continue;
    const network = context.networks.all().find(({ id }) => id === endpoint.networkId);
    if (network?.definition === undefined) continue;
    await context.network
      .disconnect(network.definition, endpoint, { sandboxGone: true })
      .catch(reporter(context, `take ${record.name} off network ${network.name}`));
    emitNetworkEvent(context.events, network, 'disconnect', record.id);
  }
}

export function definitionOf(network: NetworkRecord): NetworkDefinition {
  if (network.definition === undefined)
    throw conflict(
      `The ${network.name} network cannot be combined with others: it is chosen when a container is created (--network ${network.name}).`,
    );
  return network.definition;
}
