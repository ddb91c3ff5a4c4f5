/** Handlers of the network routes. */
import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { NetworkInspect } from '../../contract/docker.ts';
import { invalid, notFound } from '../../errors.ts';
import { readEndpoint } from '../containers/create-network.ts';
import type { Fields } from '../fields.ts';
import { type Filters, labelsMatch, readFilters } from '../filters.ts';
import { readJson } from '../json-body.ts';
import { pathPart } from '../query.ts';
import { rfc3339 } from '../timestamps.ts';
import type { Wire } from '../wire.ts';
import type { NetworkCreate, NetworksBackend, NetworkView } from './backend.ts';

const filterNames = ['dangling', 'driver', 'id', 'label', 'label!', 'name', 'scope', 'type'];

export async function list(networks: NetworksBackend, request: FastifyRequest): Promise<object[]> {
  const filters = readFilters(request, filterNames);
  for (const type of filters.get('type')) {
    if (!['builtin', 'custom'].includes(type)) throw invalid(`invalid filter: 'type'='${type}'`);
  }
  // Since API 1.28 the list has no containers; inspect has them.
  return networks
    .list()
    .filter((view) => isShown(view, filters))
    .map((view) => ({ ...networkDocument(view), Containers: {} }));
}

export async function inspect(networks: NetworksBackend, request: FastifyRequest): Promise<object> {
  return networkDocument(networks.inspect(pathPart(request, 'id')));
}

export async function create(
  networks: NetworksBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object> {
  const created = await networks.create(readNetworkCreate(await readJson(request)));
  reply.code(201);
  return { Id: created.id, Warning: created.warning };
}

export async function connect(networks: NetworksBackend, request: FastifyRequest): Promise<string> {
  const body = await readJson(request);
  const network = pathPart(request, 'id');
  const endpoint = readEndpoint(network, body.objectOrEmpty('EndpointConfig'));
  await networks.connect(network, readContainer(body), endpoint);
  return '';
}

export async function disconnect(
  networks: NetworksBackend,
  request: FastifyRequest,
): Promise<string> {
  const body = await readJson(request);
  const force = body.flag('Force') ?? false;
  await networks.disconnect(pathPart(request, 'id'), readContainer(body), { force });
  return '';
}

export async function remove(
  networks: NetworksBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  await networks.remove(pathPart(request, 'id'));
  reply.code(204).send();
}

export async function prune(networks: NetworksBackend, request: FastifyRequest): Promise<object> {
  const filters = readFilters(request, ['label', 'label!', 'until']);
  const { deleted } = await networks.prune({
    until: filters.until(new Date()),
    labels: filters.labels(),
  });
  return { NetworksDeleted: deleted.length === 0 ? null : deleted };
}

function readContainer(body: Fields): string {
  const container = body.filled('Container');
  if (container === undefined) throw invalid('bad parameter: "Container" is required');
  return container;
}

function readNetworkCreate(body: Fields): NetworkCreate {
  const name = body.filled('Name');
  if (name === undefined || name.trim() === '' || /[\s/]/.test(name))
    throw invalid(`invalid network name: "${name ?? ''}"`);
  const driver = body.filled('Driver') ?? 'bridge';
  if (driver !== 'bridge')
    throw notFound(
      `could not find plugin ${driver} in v1 plugin registry: use the driver "bridge"`,
    );
  if (body.flag('Ingress') === true || body.flag('ConfigOnly') === true)
    throw invalid('ingress and config-only networks belong to a swarm, which is not supported');
  const ipam = body.objectOrEmpty('IPAM');
  const ipamDriver = ipam.filled('Driver') ?? 'default';
  if (ipamDriver !== 'default') throw invalid(`could not find ipam plugin ${ipamDriver}`);
  return {
    name,
    driver,
    internal: body.flag('Internal') ?? false,
    attachable: body.flag('Attachable') ?? false,
    enableIpv6: body.flag('EnableIPv6') ?? false,
    labels: body.textMap('Labels'),
    options: body.textMap('Options'),
    ipam: ipam.objects('Config').map(readPool),
  };
}

function readPool(pool: Fields): NetworkCreate['ipam'][number] {
  const [subnet, ipRange, gateway] = [
    pool.filled('Subnet'),
    pool.filled('IPRange'),
    pool.filled('Gateway'),
  ];
  for (const block of [subnet, ipRange]) {
    if (block !== undefined && !isAddressBlock(block))
      throw invalid(
        `invalid network config:\ninvalid subnet ${block}: invalid CIDR block notation`,
      );
  }
  if (gateway !== undefined && isIP(gateway) === 0)
    throw invalid(`invalid network config:\ninvalid gateway: ${gateway}`);
  return { subnet, ipRange, gateway };
}

function isAddressBlock(text: string): boolean {
  const [address = '', prefix = ''] = text.split('/');
  const family = isIP(address);
  return family !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

function isShown(view: NetworkView, filters: Filters): boolean {
  const dangling = filters.flag('dangling');
  const builtin = ['bridge', 'host', 'none'].includes(view.name);
  const unused = !builtin && view.containers.length === 0;
  return (
    (dangling === undefined || dangling === unused) &&
    filters.some('driver', (driver) => view.driver === driver) &&
    filters.some('id', (id) => view.id.startsWith(id)) &&
    filters.some('name', (name) => view.name.includes(name)) &&
    filters.some('scope', (scope) => scope === 'local') &&
    filters.some('type', (type) => (type === 'builtin') === builtin) &&
    labelsMatch(view.labels, filters.labels())
  );
}

function networkDocument(view: NetworkView): Wire<NetworkInspect> {
  const builtin = view.driver !== 'bridge';
  return {
    Name: view.name,
    Id: view.id,
    Created: rfc3339(view.createdAt),
    Scope: 'local',
    Driver: view.driver,
    EnableIPv6: view.enableIpv6,
    IPAM: {
      Driver: 'default',
      Options: builtin ? null : {},
      Config: builtin ? null : view.ipam.map(poolDocument),
    },
    Internal: view.internal,
    Attachable: view.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(view.containers.map(endpointEntry)),
    Options: view.options,
    Labels: view.labels,
  };
}

function poolDocument({ subnet, ipRange, gateway }: NetworkView['ipam'][number]): object {
  return {
    Subnet: subnet,
    ...(ipRange === undefined ? {} : { IPRange: ipRange }),
    Gateway: gateway,
  };
}

function endpointEntry({ id, name, endpoint }: NetworkView['containers'][number]) {
  const address =
    endpoint.ipv4Address === '' ? '' : `${endpoint.ipv4Address}/${endpoint.prefixLength}`;
  const document = {
    Name: name,
    EndpointID: endpoint.endpointId,
    MacAddress: endpoint.macAddress,
    IPv4Address: address,
    IPv6Address: '',
  };
  return [id, document] as const;
}
