/**
 * Networks: bridges, addresses, NAT and published ports, in an nftables table and with device names of the agent's
 * own.
 *
 * The life of an endpoint: `connect` reserves an address, creates the veth pair with one end in the container's
 * namespace and configures it there through the sandbox's own rtnetlink socket; `publish` adds the ports;
 * `disconnect` undoes both and may be repeated. The veth pair ends with the container's namespace; the engine must
 * release addresses and ports, and `reconcile` at start makes the kernel's state match the running containers.
 */
import type {
  EndpointSettings,
  EndpointView,
  PortBinding,
  PublishedPort,
} from '../contract/container.ts';
import type { NetworkRates } from '../contract/limits.ts';

export interface NetworkDefinition {
  id: string;
  name: string;
  /** Name of the bridge device, at most 15 bytes. */
  bridge: string;
  subnet: string;
  ipRange?: string;
  gateway: string;
  internal: boolean;
  enableIpv6: boolean;
  mtu?: number;
  options: Record<string, string>;
}

export interface SandboxNetwork {
  containerId: string;
  /** The container's network namespace, and an rtnetlink socket made inside it. */
  networkFd: number;
  netlinkFd: number;
}

export interface Networks {
  /** Defines a network whose subnet overlaps no network, route or interface of the machine. */
  define(request: {
    id: string;
    name: string;
    subnet?: string;
    ipRange?: string;
    gateway?: string;
    internal: boolean;
    enableIpv6: boolean;
    options: Record<string, string>;
    taken: readonly NetworkDefinition[];
  }): NetworkDefinition;
  /** Creates the bridge and its rules; does nothing when they exist. */
  ensure(network: NetworkDefinition): Promise<void>;
  remove(network: NetworkDefinition): Promise<void>;
  /**
   * `index` is the number of the interface: eth0, eth1 and so on; by default the lowest free one. The first interface
   * whose network is not internal gets the default route.
   */
  connect(
    network: NetworkDefinition,
    sandbox: SandboxNetwork,
    endpoint: EndpointSettings & { endpointId: string; containerName: string },
    index?: number,
  ): Promise<EndpointView>;
  /**
   * `sandboxGone` says that the container has ended: the kernel removes its veth pair with the namespace, and waiting
   * for that (30 ms) is not needed.
   */
  disconnect(
    network: NetworkDefinition,
    endpoint: EndpointView,
    options?: { sandboxGone?: boolean },
  ): Promise<void>;
  /** Adds a default route through this endpoint when the container has none. */
  ensureDefaultRoute(sandbox: SandboxNetwork, endpoint: EndpointView): void;
  /**
   * Limits how fast a connected endpoint sends and receives, in bytes per second; absent and null mean no limit. The
   * limit ends with the endpoint. Throws invalid when the kernel lacks support.
   */
  limitRates(endpoint: EndpointView, rates: NetworkRates): Promise<void>;
  /** The endpoint's rate limits as the kernel has them, in bytes per second. */
  rates(endpoint: EndpointView): NetworkRates;
  /**
   * Publishes all ports of an endpoint or none. For a port in use it throws dockerd's error (500) with the port and,
   * if the kernel tells, the process that has it.
   */
  publish(
    containerId: string,
    endpoint: EndpointView,
    bindings: readonly PortBinding[],
  ): Promise<PublishedPort[]>;
  unpublish(containerId: string): Promise<void>;
  /** Changes the name by which other containers of its networks find it. */
  rename(containerId: string, from: string, to: string): void;
  /** Runs at the agent's start, before anything else: recreates what running containers need and removes the rest. */
  reconcile(state: {
    networks: readonly NetworkDefinition[];
    running: readonly {
      containerId: string;
      containerName: string;
      endpoints: readonly EndpointView[];
      ports: readonly PublishedPort[];
    }[];
  }): Promise<void>;
  /** Addresses of the DNS servers that a container of this network uses; the default bridge takes the machine's. */
  nameservers(network: NetworkDefinition): string[];
  /** Address at which a container reaches the user's computer; `gateway` is that of its network. */
  hostAddress(gateway: string): string;
  /** Keeps the networks of running containers; when none runs, removes everything from the machine. */
  close(): Promise<void>;
}
