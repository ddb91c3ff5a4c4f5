/** Networks that users make, and the three predefined ones. */
import type { NetworkCreate, NetworksBackend, NetworkView } from '../../api/networks/backend.ts';
import { CortenError, conflict, invalid } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import { emitNetworkEvent } from '../emit-events.ts';
import { newId } from '../ids.ts';
import { matchesLabels } from '../label-filter.ts';
import type { NetworkRecord } from '../state/network-table.ts';
import { connectNetwork, disconnectNetwork } from './network-connect.ts';
import { endpointSettings } from './network-endpoints.ts';

const predefined = ['bridge', 'host', 'none'];
const nameRule = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

export function createNetworksBackend(context: EngineContext): NetworksBackend {
  return {
    create: (request) => createNetwork(context, request),
    list: () => context.networks.all().map((record) => viewOf(context, record)),
    inspect: (reference) => viewOf(context, context.networks.find(reference)),
    remove: (reference) => removeNetwork(context, reference),
    connect: (reference, container, endpoint) =>
      connectNetwork(context, reference, container, endpoint),
    disconnect: (reference, container, options) =>
      disconnectNetwork(context, reference, container, options),
    prune: (filter) => pruneNetworks(context, filter),
  };
}

/** Records `bridge`, `host` and `none` at the agent's first start on this state root. */
export function ensurePredefined(context: Pick<EngineContext, 'networks' | 'network'>): void {
  const base = { createdAt: new Date(), attachable: false, labels: {} };
  const { networks, network } = context;
  if (networks.byName('bridge') === undefined) {
    const id = newId();
    const definition = network.define({
      id,
      name: 'bridge',
      internal: false,
      enableIpv6: false,
      options: {},
      taken: networks.definitions(),
    });
    networks.insert({ ...base, id, name: 'bridge', driver: 'bridge', definition });
  }
  for (const [name, driver] of [
    ['host', 'host'],
    ['none', 'null'],
  ] as const)
    if (networks.byName(name) === undefined)
      networks.insert({ ...base, id: newId(), name, driver });
}

async function createNetwork(
  context: EngineContext,
  request: NetworkCreate,
): Promise<{ id: string; warning: string }> {
  const { name, driver, ipam, internal, enableIpv6, options, labels, attachable } = request;
  if (predefined.includes(name))
    throw new CortenError('forbidden', `operation is not permitted on predefined ${name} network`);
  if (!nameRule.test(name))
    throw invalid(
      `invalid network name ${JSON.stringify(name)}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  if (driver === 'host' || driver === 'null')
    throw new CortenError('forbidden', `only one instance of "${driver}" network is allowed`);
  if (driver !== '' && driver !== 'bridge' && driver !== 'default')
    throw new CortenError(
      'not-found',
      `could not find plugin ${driver} in v1 plugin registry: plugin not found. Corten has the drivers bridge, host and null.`,
    );
  if (context.networks.byName(name) !== undefined)
    throw conflict(`network with name ${name} already exists`);
  const id = newId();
  const definition = context.network.define({
    id,
    name,
    ...ipam[0],
    internal,
    enableIpv6,
    options,
    taken: context.networks.definitions(),
  });
  const record: NetworkRecord = {
    id,
    name,
    driver: 'bridge',
    createdAt: new Date(),
    attachable,
    labels,
    definition,
  };
  // The record comes first: `ensure` completes a network whose bridge a crash prevented.
  context.networks.insert(record);
  try {
    await context.network.ensure(definition);
  } catch (error) {
    context.networks.delete(id);
    await context.network
      .remove(definition)
      .catch((reason) => context.report(`undo the network ${name}`, reason));
    throw error;
  }
  emitNetworkEvent(context.events, record, 'create');
  return { id, warning: '' };
}

async function removeNetwork(context: EngineContext, reference: string): Promise<void> {
  const record = context.networks.find(reference);
  if (predefined.includes(record.name))
    throw new CortenError(
      'forbidden',
      `${record.name} is a pre-defined network and cannot be removed`,
    );
  if (liveEndpoints(context, record.id).length > 0)
    throw new CortenError(
      'forbidden',
      `error while removing network: network ${record.name} id ${record.id} has active endpoints`,
    );
  context.networks.delete(record.id);
  if (record.definition !== undefined) await context.network.remove(record.definition);
  emitNetworkEvent(context.events, record, 'destroy');
}

async function pruneNetworks(
  context: EngineContext,
  { until, labels }: Parameters<NetworksBackend['prune']>[0],
): Promise<{ deleted: string[] }> {
  const deleted: string[] = [];
  for (const record of context.networks.all()) {
    if (predefined.includes(record.name) || !matchesLabels(record.labels, labels)) continue;
    if (until !== undefined && record.createdAt > until) continue;
    if (isWanted(context, record)) continue;
    await removeNetwork(context, record.id);
    deleted.push(record.name);
  }
  return { deleted };
}

/** Stopped containers need the network at their next start, so they count as users too. */
function isWanted({ containers }: EngineContext, { id, name }: NetworkRecord): boolean {
  return containers
    .all()
    .some((container) =>
      endpointSettings(container).some(({ network }) => network === id || network === name),
    );
}

function liveEndpoints({ containers, live }: EngineContext, networkId: string) {
  return containers
    .all()
    .flatMap(({ id, name, networks }) =>
      live.get(id) === undefined
        ? []
        : networks
            .filter((endpoint) => endpoint.networkId === networkId)
            .map((endpoint) => ({ id, name, endpoint })),
    );
}

function viewOf(context: EngineContext, record: NetworkRecord): NetworkView {
  const { id, name, driver, createdAt, attachable, labels, definition } = record;
  return {
    id,
    name,
    driver,
    createdAt,
    internal: definition?.internal ?? false,
    attachable,
    enableIpv6: definition?.enableIpv6 ?? false,
    labels,
    options: definition?.options ?? {},
    ipam:
      definition === undefined
        ? []
        : [
            {
              subnet: definition.subnet,
              gateway: definition.gateway,
              ...(definition.ipRange !== undefined && { ipRange: definition.ipRange }),
            },
          ],
    containers: liveEndpoints(context, id),
  };
}
