/**
 * Names of endpoints. An answer depends on the container that asks: it may resolve the names of every network it is
 * in, whichever of its gateways it asks.
 */

export interface NamedEndpoint {
  networkId: string;
  networkName: string;
  endpointId: string;
  containerId: string;
  address: string;
  names: readonly string[];
}

export class NameTable {
  readonly #endpoints = new Map<string, NamedEndpoint>();

  add(endpoint: NamedEndpoint): void {
    const names = endpoint.names.map((name) => name.toLowerCase());
    this.#endpoints.set(endpoint.endpointId, { ...endpoint, names });
  }

  remove(endpointId: string): void {
    this.#endpoints.delete(endpointId);
  }

  rename(containerId: string, from: string, to: string): void {
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.containerId !== containerId) continue;
      const kept = endpoint.names.filter((name) => name !== from.toLowerCase());
      this.add({ ...endpoint, names: [...kept, to] });
    }
  }

  /** Addresses of a name that `asker`, in network `networkId`, may resolve; `undefined` when there is no such name. */
  lookUp(networkId: string, asker: string, name: string): string[] | undefined {
    const networks = this.#networksOf(networkId, asker);
    const found = [...this.#endpoints.values()]
      .filter((endpoint) => networks.has(endpoint.networkId) && answersTo(endpoint, name))
      .map((endpoint) => endpoint.address);
    return found.length === 0 ? undefined : found;
  }

  /** The name `<name>.<network>` of an address, for PTR queries. */
  nameOf(networkId: string, asker: string, address: string): string | undefined {
    const networks = this.#networksOf(networkId, asker);
    for (const endpoint of this.#endpoints.values())
      if (networks.has(endpoint.networkId) && endpoint.address === address)
        return `${endpoint.names[0]}.${endpoint.networkName}`;
    return undefined;
  }

  #networksOf(networkId: string, asker: string): Set<string> {
    const endpoints = [...this.#endpoints.values()];
    const self = endpoints.find(
      (endpoint) => endpoint.networkId === networkId && endpoint.address === asker,
    );
    if (self === undefined) return new Set([networkId]);
    return new Set(
      endpoints
        .filter((endpoint) => endpoint.containerId === self.containerId)
        .map((endpoint) => endpoint.networkId),
    );
  }
}

/** Docker answers both `web` and `web.<network>`. */
function answersTo(endpoint: NamedEndpoint, name: string): boolean {
  const suffix = `.${endpoint.networkName.toLowerCase()}`;
  const bare = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
  return endpoint.names.includes(name) || endpoint.names.includes(bare);
}
