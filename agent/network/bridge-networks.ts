/** Implements {@link Networks} with bridges: networks.ts describes the life of an endpoint. */
import { closeSync } from 'node:fs';
import type { EndpointView, PortBinding, PublishedPort } from '../contract/container.ts';
import type { NetworkRates } from '../contract/limits.ts';
import type { NameServer } from '../contract/name-servers.ts';
import { CortenError } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { NetlinkFamily } from '../kernel/netlink.ts';
import { makeBridge } from './bridge.ts';
import { deleteUdpFlows } from './conntrack.ts';
import { defaultRouteEndpoint, ensureDefaultRoute, hasDefaultRoute } from './default-route.ts';
import { defineNetwork } from './define-network.ts';
import { type DeviceNames, defaultNetworkName, deviceNames } from './device-names.ts';
import { DnsServer } from './dns.ts';
import { NameTable } from './dns-names.ts';
import { type EngineNetwork, hostNetwork } from './engine-network.ts';
import type { HostResolver } from './host-resolver.ts';
import { AddressLeases } from './ipam.ts';
import { addressBytes, parseSubnet } from './ipv4.ts';
import { deleteLink, findLink, listLinks, loopbackIndex } from './link.ts';
import { Nat } from './nat.ts';
import type { NetworkDefinition, Networks, SandboxNetwork } from './networks.ts';
import { NftablesSocket } from './nftables.ts';
import type { OutsidePorts } from './outside-ports.ts';
import type { PortForwarder } from './port-forwarder.ts';
import { HostPorts, takeSocket } from './ports.ts';
import { mappingsOf, PublishedPorts } from './published-ports.ts';
import { readRates, setRates } from './rates.ts';
import { LinkRemovals } from './removals.ts';
import { machineResolvers, reachableResolvers } from './resolvers.ts';
import { everyDestination, listRoutes } from './route.ts';
import { Rtnetlink } from './rtnetlink.ts';
import {
  allowLoopbackThrough,
  disableIpv6,
  enableForwarding,
  ignoreRouterAnnouncements,
} from './sysctl.ts';
import { configureInside, joinBridge, makeVethPair, setPortModes } from './veth.ts';

export interface NetworksOptions {
  /** One to five lower-case letters or digits, which tell this agent's devices from another's. */
  suffix: string;
  /** Default `/etc/resolv.conf`. */
  resolvConf?: string;
  /** Default: the machine's own network namespace. */
  netns?: EngineNetwork;
  /** Publishes ports when that namespace cannot reach the machine's. */
  forwarder?: PortForwarder;
  /** Published ports on the computer that this machine runs on. */
  outsidePorts?: OutsidePorts;
  /**
   * Address of the computer that this machine runs on. `gateway`: that of the default route. Absent: this machine is
   * the user's own. `shared`: the machine has that computer's addresses and ports.
   */
  hostAddress?: string;
  /** Resolves names as that computer does. */
  hostResolver?: Pick<HostResolver, 'ask'>;
}

export function createNetworks(options: NetworksOptions): Networks {
  return new BridgeNetworks(options);
}

const icc = 'com.docker.network.bridge.enable_icc';
/** MTU when the machine has no default route whose MTU containers could take. */
const ethernetMtu = 1500;
const dnsPort = 53;

class BridgeNetworks implements Networks {
  readonly #names: DeviceNames;
  readonly #resolvConf: string | undefined;
  readonly #hostAddress: string | undefined;
  readonly #hostResolver: Pick<HostResolver, 'ask'> | undefined;
  readonly #netns: EngineNetwork;
  readonly #netlink: Rtnetlink;
  readonly #nftables: NftablesSocket;
  readonly #removals: LinkRemovals;
  readonly #conntrack: Rtnetlink;
  readonly #nat: Nat;
  readonly #ports: PublishedPorts;
  readonly #leases = new AddressLeases();
  readonly #nameTable = new NameTable();
  readonly #nameServers = new Map<string, DnsServer>();
  /** Networks by ID whose bridge and rules exist. */
  readonly #active = new Map<string, NetworkDefinition>();
  /** Set-ups in progress by network ID, so that fifty containers that start at once create one bridge. */
  readonly #ensuring = new Map<string, Promise<void>>();

  constructor({ suffix, resolvConf, netns = hostNetwork, forwarder, ...outside }: NetworksOptions) {
    const { route, netfilter } = NetlinkFamily;
    this.#netns = netns;
    this.#netlink = new Rtnetlink(netns.openNetlink(route));
    this.#nftables = new NftablesSocket(netns.openNetlink(netfilter));
    this.#removals = new LinkRemovals(new Rtnetlink(netns.openNetlink(route)));
    this.#conntrack = new Rtnetlink(netns.openNetlink(netfilter));
    this.#names = deviceNames(suffix);
    this.#resolvConf = resolvConf;
    this.#nat = new Nat(this.#names.table, this.#nftables, netns);
    this.#hostAddress = outside.hostAddress;
    this.#hostResolver = outside.hostResolver;
    const hostPorts = new HostPorts({
      outside: outside.outsidePorts,
      isGuest: outside.hostAddress !== undefined,
      // A socket here would take the port that the app must open on a shared computer.
      holdsNone: outside.hostAddress === 'shared',
      ...(forwarder && { take: takeSocket }),
    });
    const forget = (ports: ReadonlySet<number>) => deleteUdpFlows(this.#conntrack, ports);
    this.#ports = new PublishedPorts(this.#nat, hostPorts, forget, forwarder);
  }

  define(request: Parameters<Networks['define']>[0]): NetworkDefinition {
    return defineNetwork(request, {
      netlink: this.#netlink,
      names: this.#names,
      resolvConf: this.#resolvConf,
    });
  }

  async ensure(network: NetworkDefinition): Promise<void> {
    // The kernel is asked each time, because people delete bridges and flush rulesets by hand.
    const ready =
      this.#active.has(network.id) &&
      findLink(this.#netlink, network.bridge)?.up &&
      this.#nat.tableExists;
    if (ready) return;
    let work = this.#ensuring.get(network.id);
    if (work === undefined) {
      work = this.#activate(network).finally(() => this.#ensuring.delete(network.id));
      this.#ensuring.set(network.id, work);
    }
    await work;
  }

  async remove(network: NetworkDefinition): Promise<void> {
    if (this.#leases.count(network.id) > 0)
      throw new CortenError('forbidden', `network ${network.name} has active endpoints`);
    this.#active.delete(network.id);
    this.#leases.forget(network.id);
    this.#nameServers.get(network.id)?.close();
    this.#nameServers.delete(network.id);
    await this.#nat.removeNetwork(network.id);
    this.#netlink.execute(deleteLink(network.bridge));
  }

  async connect(
    network: NetworkDefinition,
    sandbox: SandboxNetwork,
    endpoint: Parameters<Networks['connect']>[2],
    index?: number,
  ): Promise<EndpointView> {
    await this.ensure(network);
    const { endpointId } = endpoint;
    const address = this.#leases.reserve(network, endpointId, endpoint.ipv4Address);
    const view: EndpointView = {
      networkId: network.id,
      networkName: network.name,
      endpointId,
      ipv4Address: address,
      prefixLength: parseSubnet(network.subnet).prefixLength,
      gateway: network.gateway,
      macAddress: endpoint.macAddress || macOf(address),
      aliases: endpoint.aliases,
    };
    try {
      await this.#wire(network, sandbox, view, index);
    } catch (error) {
      await this.#removals.remove(this.#names.veth(endpointId));
      this.#leases.release(network.id, endpointId, address);
      throw error;
    }
    this.#learn(sandbox.containerId, endpoint.containerName, view);
    return view;
  }

  async disconnect(
    network: NetworkDefinition,
    endpoint: EndpointView,
    options: { sandboxGone?: boolean } = {},
  ): Promise<void> {
    // A link that the kernel refuses to delete stays as it was, so the request can be repeated.
    if (!options.sandboxGone) await this.#removals.remove(this.#names.veth(endpoint.endpointId));
    this.#nameTable.remove(endpoint.endpointId);
    await this.#removeShaper(endpoint.endpointId);
    this.#leases.release(network.id, endpoint.endpointId, endpoint.ipv4Address);
  }

  ensureDefaultRoute(sandbox: SandboxNetwork, endpoint: EndpointView): void {
    ensureDefaultRoute(sandbox, endpoint);
  }

  rates({ endpointId }: EndpointView): NetworkRates {
    return readRates(this.#netlink, this.#names.rateDevices(endpointId));
  }

  async limitRates({ endpointId }: EndpointView, rates: NetworkRates): Promise<void> {
    setRates(this.#netlink, this.#names.rateDevices(endpointId), rates);
    // No traffic is redirected through the shaper any more.
    if (rates.egressBytesPerSecond == null) await this.#removeShaper(endpointId);
  }

  async publish(
    containerId: string,
    endpoint: EndpointView,
    bindings: readonly PortBinding[],
  ): Promise<PublishedPort[]> {
    // An internal network publishes no ports, and dockerd ignores such bindings too.
    if (bindings.length === 0 || this.#active.get(endpoint.networkId)?.internal) return [];
    return this.#ports.publish(containerId, endpoint, bindings);
  }

  unpublish(containerId: string): Promise<void> {
    return this.#ports.unpublish(containerId);
  }

  rename(containerId: string, from: string, to: string): void {
    this.#nameTable.rename(containerId, from, to);
  }

  nameservers(network: NetworkDefinition): string[] {
    // In a virtual machine any name may be one that only the host can resolve.
    if (network.name !== defaultNetworkName || this.#hostAddress !== undefined)
      return [network.gateway];
    const reachable = reachableResolvers(this.#resolvConf);
    return reachable.length > 0 ? reachable : [network.gateway];
  }

  hostAddress(gateway: string): string {
    if (this.#hostAddress === 'shared') return gateway;
    if (this.#hostAddress !== 'gateway') return this.#hostAddress ?? gateway;
    const routes = listRoutes(this.#netlink);
    return routes.find(({ destination }) => destination === everyDestination)?.gateway ?? gateway;
  }

  async reconcile(state: Parameters<Networks['reconcile']>[0]): Promise<void> {
    const endpoints = state.running.flatMap(({ endpoints }) => endpoints);
    this.#sweepDevices(state.networks, endpoints);
    const inUse = state.networks.filter((network) =>
      endpoints.some((endpoint) => endpoint.networkId === network.id),
    );
    const published = state.running.map(({ containerId, ports, endpoints }) => ({
      containerId,
      ports,
      address: defaultRouteEndpoint(endpoints, state.networks)?.ipv4Address ?? '0.0.0.0',
    }));
    if (inUse.length > 0 || this.#nat.tableExists)
      await this.#nat.restore(
        inUse,
        published.flatMap(({ ports, address }) => mappingsOf(ports, address)),
      );
    for (const network of inUse) await this.ensure(network);
    for (const container of state.running)
      for (const endpoint of container.endpoints) {
        this.#leases.restore(endpoint.networkId, endpoint.endpointId, endpoint.ipv4Address);
        this.#learn(container.containerId, container.containerName, endpoint);
        this.#rejoin(endpoint);
      }
    this.#ports.keepOnly(new Set(published.map(({ containerId }) => containerId)));
    for (const { containerId, ports, address } of published)
      await this.#ports.restore(containerId, ports, address);
  }

  /** Keeps the networks of running containers; when none runs, removes bridges and rules. */
  async close(): Promise<void> {
    for (const server of this.#nameServers.values()) server.close();
    this.#nameServers.clear();
    this.#ports.close();
    const networks = [...this.#active.values()];
    if (networks.length > 0 && networks.every(({ id }) => this.#leases.count(id) === 0)) {
      await this.#nat.restore([], []);
      this.#netlink.execute(...networks.map(({ bridge }) => deleteLink(bridge)));
    }
    this.#active.clear();
    await this.#removals.close();
    closeSync(this.#netlink.fd);
    closeSync(this.#nftables.fd);
    closeSync(this.#conntrack.fd);
  }

  async #activate(network: NetworkDefinition): Promise<void> {
    if (!network.internal) this.#startRouting();
    makeBridge(this.#netlink, {
      name: network.bridge,
      address: network.gateway,
      prefixLength: parseSubnet(network.subnet).prefixLength,
      macAddress: macOf(network.gateway),
      mtu: network.mtu ?? this.#machineMtu(),
    });
    if (network.enableIpv6) ignoreRouterAnnouncements(this.#netns, network.bridge);
    else disableIpv6(this.#netns, network.bridge);
    await this.#nat.addNetwork(network);
    // This must come after the rule that keeps containers off the machine's loopback.
    allowLoopbackThrough(this.#netns, network.bridge);
    await this.#serveNames(network);
    this.#active.set(network.id, network);
  }

  #startRouting(): void {
    if (!enableForwarding(this.#netns)) return;
    this.#nat.keepApart(
      listLinks(this.#netlink)
        .filter((link) => link.index !== loopbackIndex && !this.#names.isBridge(link.name))
        .map((link) => link.name),
    );
  }

  /** Starts a network's DNS server; the default network needs one only without reachable name servers. */
  async #serveNames(network: NetworkDefinition): Promise<void> {
    if (this.#nameServers.has(network.id)) return;
    if (!this.nameservers(network).includes(network.gateway)) return;
    const server = new DnsServer({
      networkId: network.id,
      gateway: network.gateway,
      names: this.#nameTable,
      netns: this.#netns,
      outside: network.internal
        ? undefined
        : {
            hostAddress: () => this.hostAddress(network.gateway),
            ask: async (message) => this.#hostResolver?.ask(message),
            upstreams: () => this.#upstreams(),
          },
    });
    await server.start();
    this.#nameServers.set(network.id, server);
  }

  #upstreams(): NameServer[] {
    return machineResolvers(this.#resolvConf).map((address) => ({ address, port: dnsPort }));
  }

  async #wire(
    network: NetworkDefinition,
    sandbox: SandboxNetwork,
    endpoint: EndpointView,
    index: number | undefined,
  ): Promise<void> {
    const bridge = findLink(this.#netlink, network.bridge);
    if (bridge === undefined)
      throw new CortenError('unavailable', `bridge ${network.bridge} vanished; start again`);
    const hostName = this.#names.veth(endpoint.endpointId);
    const inside = new Rtnetlink(sandbox.netlinkFd);
    const insideName = `eth${index ?? freeIndex(inside)}`;
    // The first interface of a new container needs no look-up.
    const isDefaultRoute = !network.internal && (index === 0 || !hasDefaultRoute(inside));
    const pair = {
      hostName,
      bridgeIndex: bridge.index,
      insideName,
      macAddress: endpoint.macAddress,
      mtu: bridge.mtu,
    };
    try {
      makeVethPair(this.#netlink, pair, sandbox.networkFd);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      // An earlier start left this endpoint's veth pair, whose namespace the kernel has not yet destroyed.
      await this.#removals.remove(hostName);
      makeVethPair(this.#netlink, pair, sandbox.networkFd);
    }
    setPortModes(this.#netlink, hostName, { isolated: network.options[icc] === 'false' });
    configureInside(inside, {
      name: insideName,
      address: endpoint.ipv4Address,
      prefixLength: endpoint.prefixLength,
      gateway: isDefaultRoute ? network.gateway : undefined,
    });
  }

  /** Removes the endpoint's ifb device, which does not end with the container's namespace. */
  async #removeShaper(endpointId: string): Promise<void> {
    const name = this.#names.shaper(endpointId);
    if (findLink(this.#netlink, name) !== undefined) await this.#removals.remove(name);
  }

  #learn(containerId: string, containerName: string, endpoint: EndpointView): void {
    if (endpoint.networkName === defaultNetworkName) return;
    const { networkId, networkName, endpointId, ipv4Address, aliases } = endpoint;
    const names = [containerName.replace(/^\//, ''), ...aliases, containerId.slice(0, 12)];
    this.#nameTable.add({
      networkId,
      networkName,
      endpointId,
      containerId,
      address: ipv4Address,
      names,
    });
  }

  /** Deletes this agent's devices that belong to no network or endpoint of the engine. */
  #sweepDevices(networks: readonly NetworkDefinition[], endpoints: readonly EndpointView[]): void {
    const kept = new Set([
      ...networks.map(({ bridge }) => bridge),
      ...endpoints.flatMap(({ endpointId }) => Object.values(this.#names.rateDevices(endpointId))),
    ]);
    const ours = (name: string) =>
      this.#names.isBridge(name) || this.#names.isVeth(name) || this.#names.isShaper(name);
    const stale = listLinks(this.#netlink).filter(({ name }) => ours(name) && !kept.has(name));
    if (stale.length > 0) this.#netlink.execute(...stale.map(({ name }) => deleteLink(name)));
  }

  /** Adds the endpoint's veth to a bridge that was recreated without ports. */
  #rejoin(endpoint: EndpointView): void {
    const network = this.#active.get(endpoint.networkId);
    const bridge = network && findLink(this.#netlink, network.bridge);
    const veth = findLink(this.#netlink, this.#names.veth(endpoint.endpointId));
    if (bridge === undefined || veth === undefined || veth.master === bridge.index) return;
    joinBridge(this.#netlink, veth, bridge.index);
    setPortModes(this.#netlink, veth.name, { isolated: network?.options[icc] === 'false' });
  }

  #machineMtu(): number {
    const way = listRoutes(this.#netlink).find(
      ({ destination }) => destination === everyDestination,
    );
    const link = listLinks(this.#netlink).find(({ index }) => index === way?.interfaceIndex);
    return link?.mtu ?? ethernetMtu;
  }
}

/** Docker's MAC address for an IPv4 address, which it contains. */
function macOf(address: string): string {
  return Buffer.concat([Buffer.from([0x02, 0x42]), addressBytes(address)])
    .toString('hex')
    .replace(/..(?=.)/g, '$&:');
}

/** Lowest free number for an interface `ethN`. */
function freeIndex(inside: Rtnetlink): number {
  const taken = new Set(listLinks(inside).map(({ name }) => name));
  let index = 0;
  while (taken.has(`eth${index}`)) index += 1;
  return index;
}
