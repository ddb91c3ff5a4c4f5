/**
 * Networks: bridges, addresses, NAT and published ports, in a table and with names of our own.
 *
 * One life of an endpoint: `connect` reserves an address, makes the veth pair, moves one end into
 * the container's namespace and configures it there through the sandbox's own rtnetlink socket;
 * `publish` adds the ports; `disconnect` undoes both and is safe to repeat. The veth pair dies with
 * the container's namespace anyway; address and port reservations are the engine's to release,
 * and `reconcile` at start makes kernel state match what the engine says is running.
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
  /** Name of the bridge device; at most 15 bytes. */
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
  /** Picks a subnet that clashes with no network, route or interface of the machine. */
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
  /** Makes the bridge and its rules; does nothing when they are there. */
  ensure(network: NetworkDefinition): Promise<void>;
  remove(network: NetworkDefinition): Promise<void>;
  /**
   * `index` numbers the interface: eth0, eth1, …; when it is not said, the first that the container has
   * not. The first whose network has a way out gives the default route.
   */
  connect(
    network: NetworkDefinition,
    sandbox: SandboxNetwork,
    endpoint: EndpointSettings & { endpointId: string; containerName: string },
    index?: number,
  ): Promise<EndpointView>;
  /**
   * `sandboxGone`: the container has ended, and the kernel takes its veth pair away with the
   * namespace; waiting for that is then not worth 30 ms.
   */
  disconnect(
    network: NetworkDefinition,
    endpoint: EndpointView,
    options?: { sandboxGone?: boolean },
  ): Promise<void>;
  /** Gives a container that has no default route one by this endpoint. */
  ensureDefaultRoute(sandbox: SandboxNetwork, endpoint: EndpointView): void;
  /**
   * How fast a connected endpoint may send and receive, from now on; absent and null are no limit.
   * It ends with the endpoint. Throws invalid when the kernel cannot.
   */
  limitRates(endpoint: EndpointView, rates: NetworkRates): Promise<void>;
  /** How fast it may be, as the kernel has it. */
  rates(endpoint: EndpointView): NetworkRates;
  /**
   * Publishes ports to an endpoint; all or none. A taken port is dockerd's error (500) that names
   * the port and, where the kernel tells, the process that has it.
   */
  publish(
    containerId: string,
    endpoint: EndpointView,
    bindings: readonly PortBinding[],
  ): Promise<PublishedPort[]>;
  unpublish(containerId: string): Promise<void>;
  /** The name that other containers of its networks find it by. */
  rename(containerId: string, from: string, to: string): void;
  /**
   * At agent start, before anything else: recreates what running containers need, removes what
   * nobody needs.
   */
  reconcile(state: {
    networks: readonly NetworkDefinition[];
    running: readonly {
      containerId: string;
      containerName: string;
      endpoints: readonly EndpointView[];
      ports: readonly PublishedPort[];
    }[];
  }): Promise<void>;
  /** Addresses for the DNS servers of user networks; the default bridge copies the machine's. */
  nameservers(network: NetworkDefinition): string[];
  /** Where a container whose network has this gateway reaches the computer that people sit at. */
  hostAddress(gateway: string): string;
  /** Leaves running containers their network; with none running, leaves nothing on the machine. */
  close(): Promise<void>;
}
