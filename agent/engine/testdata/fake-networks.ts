/** Networks in memory: who is connected, and what is published. */
import type { EndpointView, PublishedPort } from '../../contract/container.ts';
import type { NetworkRates } from '../../contract/limits.ts';
import type { NetworkDefinition, Networks } from '../../network/networks.ts';

export class FakeNetworks implements Networks {
  readonly ensured = new Set<string>();
  readonly endpoints = new Map<string, EndpointView>();
  readonly published = new Map<string, PublishedPort[]>();
  readonly limited = new Map<string, NetworkRates>();
  /** The endpoint that each container has its default route by. */
  readonly exits = new Map<string, string>();
  failPublish: Error | undefined;
  failDisconnect: Error | undefined;
  #next = 2;

  define({ id, name, internal, enableIpv6, options }: Parameters<Networks['define']>[0]) {
    return {
      id,
      name,
      bridge: `b-${name}`,
      subnet: '10.9.0.0/24',
      gateway: '10.9.0.1',
      internal,
      enableIpv6,
      options,
    };
  }
  async ensure({ id }: NetworkDefinition): Promise<void> {
    this.ensured.add(id);
  }
  async remove({ id }: NetworkDefinition): Promise<void> {
    this.ensured.delete(id);
  }
  async connect(
    { id, name, gateway }: NetworkDefinition,
    _sandbox: unknown,
    { endpointId, aliases }: Parameters<Networks['connect']>[2],
  ): Promise<EndpointView> {
    const endpoint = {
      networkId: id,
      networkName: name,
      endpointId,
      ipv4Address: `10.9.0.${this.#next++}`,
      prefixLength: 24,
      gateway,
      macAddress: '02:00:00:00:00:01',
      aliases,
    };
    this.endpoints.set(endpointId, endpoint);
    return endpoint;
  }
  async disconnect(_network: unknown, { endpointId }: EndpointView): Promise<void> {
    if (this.failDisconnect) throw this.failDisconnect;
    this.endpoints.delete(endpointId);
  }
  ensureDefaultRoute({ containerId }: { containerId: string }, { endpointId }: EndpointView): void {
    this.exits.set(containerId, endpointId);
  }
  async publish(
    containerId: string,
    _endpoint: unknown,
    bindings: Parameters<Networks['publish']>[2],
  ): Promise<PublishedPort[]> {
    if (this.failPublish) throw this.failPublish;
    const ports = bindings.map(({ containerPort, protocol, hostPort = 40_000 }) => ({
      containerPort,
      protocol,
      hostAddress: '0.0.0.0',
      hostPort,
    }));
    this.published.set(containerId, ports);
    return ports;
  }
  async unpublish(containerId: string): Promise<void> {
    this.published.delete(containerId);
  }
  async limitRates({ endpointId }: EndpointView, rates: NetworkRates): Promise<void> {
    this.limited.set(endpointId, rates);
  }
  rates({ endpointId }: EndpointView): NetworkRates {
    return this.limited.get(endpointId) ?? {};
  }
  rename(): void {}
  async reconcile(): Promise<void> {}
  nameservers(): string[] {
    return ['10.9.0.1'];
  }
  hostAddress(gateway: string): string {
    return gateway;
  }
  async close(): Promise<void> {}
}
