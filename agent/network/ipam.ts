/** Chooses the subnet of a new network and the address of an endpoint. */
import { conflict, invalid } from '../errors.ts';
import {
  contains,
  formatAddress,
  formatSubnet,
  lastOf,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
} from './ipv4.ts';
import type { NetworkDefinition } from './networks.ts';

/** Docker's default address pools, so that people find the ranges they know. */
const pools: readonly { from: Subnet; to: Subnet; prefixLength: number }[] = [
  { from: parseSubnet('172.17.0.0/16'), to: parseSubnet('172.31.0.0/16'), prefixLength: 16 },
  { from: parseSubnet('192.168.0.0/20'), to: parseSubnet('192.168.240.0/20'), prefixLength: 20 },
];

/** First subnet of the pools that overlaps nothing in `inUse`. Throws conflict when none is left. */
export function chooseSubnet(inUse: readonly Subnet[]): string {
  for (const { from, to, prefixLength } of pools) {
    const step = 2 ** (32 - prefixLength);
    for (let base = from.base; base <= to.base; base += step) {
      const candidate = { base, prefixLength };
      if (!inUse.some((used) => overlaps(used, candidate))) return formatSubnet(candidate);
    }
  }
  throw conflict(
    'no free subnet is left for a new network: remove networks that are not used ' +
      '(docker network prune), or name a subnet yourself with --subnet',
  );
}

/**
 * Checks a requested subnet: it needs a gateway and a container's address, and must not overlap a network of the
 * machine.
 */
export function checkSubnet(
  wanted: string,
  inUse: readonly { subnet: Subnet; by: string }[],
): Subnet {
  const subnet = parseSubnet(wanted);
  if (subnet.prefixLength > 30)
    throw invalid(`subnet ${wanted} is too small for a gateway and a container; use /30 or larger`);
  const clash = inUse.find((used) => overlaps(used.subnet, subnet));
  if (clash !== undefined)
    throw conflict(
      `subnet ${wanted} overlaps ${formatSubnet(clash.subnet)}, which ${clash.by} uses; choose another`,
    );
  return subnet;
}

/** The requested gateway, or the subnet's first address. */
export function chooseGateway(subnet: Subnet, wanted: string | undefined): string {
  if (wanted === undefined) return formatAddress(subnet.base + 1);
  requireHost(subnet, parseAddress(wanted), 'gateway');
  return wanted;
}

export function checkRange(subnet: Subnet, wanted: string): void {
  const range = parseSubnet(wanted);
  if (range.base < subnet.base || lastOf(range) > lastOf(subnet))
    throw invalid(`ip range ${wanted} is not inside subnet ${formatSubnet(subnet)}`);
}

/**
 * Leased addresses per network. Nothing is stored here: the engine stores endpoints, and `restore` reads them at
 * start.
 */
export class AddressLeases {
  /** Network id -> address -> endpoint id. */
  readonly #leases = new Map<string, Map<number, string>>();
  /** Next address to try per network, so that an address is not reused right after its release. */
  readonly #next = new Map<string, number>();

  reserve(network: NetworkDefinition, endpointId: string, wanted?: string): string {
    const leases = this.#of(network.id);
    const address =
      wanted === undefined
        ? this.#free(network, leases)
        : requireFree(network, leases, parseAddress(wanted));
    leases.set(address, endpointId);
    return formatAddress(address);
  }

  restore(networkId: string, endpointId: string, address: string): void {
    this.#of(networkId).set(parseAddress(address), endpointId);
  }

  /** Releases only a lease of this endpoint, because a repeated release must not take the next owner's. */
  release(networkId: string, endpointId: string, address: string): void {
    const leases = this.#of(networkId);
    const value = parseAddress(address);
    if (leases.get(value) === endpointId) leases.delete(value);
  }

  count(networkId: string): number {
    return this.#of(networkId).size;
  }

  forget(networkId: string): void {
    this.#leases.delete(networkId);
    this.#next.delete(networkId);
  }

  #of(networkId: string): Map<number, string> {
    const known = this.#leases.get(networkId);
    if (known !== undefined) return known;
    const leases = new Map<number, string>();
    this.#leases.set(networkId, leases);
    return leases;
  }

  #free(network: NetworkDefinition, leases: ReadonlyMap<number, string>): number {
    const subnet = parseSubnet(network.subnet);
    const range = parseSubnet(network.ipRange ?? network.subnet);
    const gateway = parseAddress(network.gateway);
    const count = lastOf(range) - range.base + 1;
    const start = this.#next.get(network.id) ?? range.base;
    for (let step = 0; step < count; step++) {
      const address = range.base + ((start - range.base + step) % count);
      const reserved = address === subnet.base || address === lastOf(subnet) || address === gateway;
      if (reserved || leases.has(address)) continue;
      this.#next.set(network.id, address + 1);
      return address;
    }
    throw conflict(`network ${network.name} (${network.subnet}) has no free address left`);
  }
}

function requireFree(
  network: NetworkDefinition,
  leases: ReadonlyMap<number, string>,
  address: number,
): number {
  requireHost(parseSubnet(network.subnet), address, 'address');
  if (address === parseAddress(network.gateway) || leases.has(address))
    throw conflict(
      `Address already in use: ${formatAddress(address)} is taken in network ${network.name}`,
    );
  return address;
}

function requireHost(subnet: Subnet, address: number, what: string): void {
  if (!contains(subnet, address) || address === subnet.base || address === lastOf(subnet))
    throw invalid(
      `${what} ${formatAddress(address)} is not a host address of subnet ${formatSubnet(subnet)}`,
    );
}
