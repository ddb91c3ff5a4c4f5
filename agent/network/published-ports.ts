/** Published ports of each container: the socket that holds a port and its translation exist together or not at all. */
import type { EndpointView, PortBinding, PublishedPort } from '../contract/container.ts';
import { CortenError } from '../errors.ts';
import type { Nat } from './nat.ts';
import type { PortForwarder } from './port-forwarder.ts';
import type { HeldPort, HostPorts } from './ports.ts';
import { everyAddress, type PortMapping } from './ruleset.ts';

interface Published {
  mappings: PortMapping[];
  held: HeldPort[];
}

export class PublishedPorts {
  readonly #nat: Nat;
  readonly #hostPorts: HostPorts;
  /** Deletes tracked UDP flows, so that clients that keep sending reach the port's new owner. */
  readonly #deleteUdpFlows: (hostPorts: ReadonlySet<number>) => void;
  /** Needed when translation alone does not reach the machine's ports. */
  readonly #forwarder: PortForwarder | undefined;
  readonly #byContainer = new Map<string, Published>();

  constructor(
    nat: Nat,
    hostPorts: HostPorts,
    deleteUdpFlows: (hostPorts: ReadonlySet<number>) => void,
    forwarder?: PortForwarder,
  ) {
    this.#forwarder = forwarder;
    this.#nat = nat;
    this.#hostPorts = hostPorts;
    this.#deleteUdpFlows = deleteUdpFlows;
  }

  async publish(
    containerId: string,
    endpoint: EndpointView,
    bindings: readonly PortBinding[],
  ): Promise<PublishedPort[]> {
    const held: HeldPort[] = [];
    try {
      const published: PublishedPort[] = [];
      const target = { containerId, containerAddress: endpoint.ipv4Address };
      for (const binding of bindings) {
        const port = await this.#hostPorts.hold(binding, target);
        held.push(port);
        published.push({
          containerPort: binding.containerPort,
          protocol: binding.protocol,
          hostAddress: port.hostAddress,
          hostPort: port.hostPort,
        });
      }
      const mappings = mappingsOf(published, endpoint.ipv4Address);
      await this.#nat.publish(mappings);
      this.#forward(containerId, mappings, held);
      this.#remember(containerId, { mappings, held });
      this.#deleteUdpFlows(udpPorts(mappings));
      return published;
    } catch (error) {
      for (const port of held) port.release();
      throw withEndpoint(error, endpoint);
    }
  }

  async unpublish(containerId: string): Promise<void> {
    const published = this.#byContainer.get(containerId);
    if (published === undefined) return;
    this.#byContainer.delete(containerId);
    this.#forwarder?.stop(containerId);
    try {
      await this.#nat.unpublish(published.mappings);
      this.#deleteUdpFlows(udpPorts(published.mappings));
    } finally {
      for (const port of published.held) port.release();
    }
  }

  /** Takes the ports of a container that ran while the agent was stopped. */
  async restore(
    containerId: string,
    ports: readonly PublishedPort[],
    containerAddress: string,
  ): Promise<void> {
    const held: HeldPort[] = [];
    for (const port of ports) {
      if (port.hostPort === undefined) continue;
      const mapping = mappingOf(port, containerAddress);
      held.push(await this.#hostPorts.restore(mapping, { containerId, containerAddress }));
    }
    const mappings = mappingsOf(ports, containerAddress);
    // A running forwarder has the ports already.
    if (!this.#forwarder?.isRunning(containerId)) this.#forward(containerId, mappings, held);
    this.#remember(containerId, { mappings, held });
  }

  /** Ends the forwarders of containers that do not run any more. */
  keepOnly(containerIds: ReadonlySet<string>): void {
    this.#forwarder?.keepOnly(containerIds);
  }

  #forward(containerId: string, mappings: readonly PortMapping[], held: readonly HeldPort[]): void {
    const ports = mappings.flatMap((mapping) => {
      const { socketFd } =
        held.find(
          ({ protocol, hostAddress, hostPort }) =>
            protocol === mapping.protocol &&
            hostAddress === mapping.hostAddress &&
            hostPort === mapping.hostPort,
        ) ?? {};
      return socketFd === undefined ? [] : [{ mapping, socketFd }];
    });
    this.#forwarder?.start(containerId, ports);
    // If the agent kept copies, ports of an ended forwarder would accept connections and never answer.
    if (this.#forwarder !== undefined) for (const port of held) port.closeSocket();
  }

  /** Closes the sockets; translations stay for containers that run on without the agent. */
  close(): void {
    for (const published of this.#byContainer.values())
      for (const port of published.held) port.release();
    this.#byContainer.clear();
    this.#forwarder?.close();
  }

  #remember(containerId: string, { mappings, held }: Published): void {
    const known = this.#byContainer.get(containerId) ?? { mappings: [], held: [] };
    this.#byContainer.set(containerId, {
      mappings: [...known.mappings, ...mappings],
      held: [...known.held, ...held],
    });
  }
}

/**
 * Mappings of the machine. An IPv6 binding is one of the computer that this machine runs on, where the host itself
 * listens.
 */
export function mappingsOf(
  ports: readonly PublishedPort[],
  containerAddress: string,
): PortMapping[] {
  return ports
    .filter((port) => port.hostPort !== undefined && !port.hostAddress?.includes(':'))
    .map((port) => mappingOf(port, containerAddress));
}

function mappingOf(port: PublishedPort, containerAddress: string): PortMapping {
  return {
    protocol: port.protocol,
    hostAddress: port.hostAddress ?? everyAddress,
    hostPort: port.hostPort ?? 0,
    containerAddress,
    containerPort: port.containerPort,
  };
}

function udpPorts(mappings: readonly PortMapping[]): Set<number> {
  const udp = mappings.filter(({ protocol }) => protocol === 'udp');
  return new Set(udp.map(({ hostPort }) => hostPort));
}

/** Wraps the cause in dockerd's message, which clients show unchanged. */
function withEndpoint(error: unknown, endpoint: EndpointView): unknown {
  if (!(error instanceof CortenError) || error.kind !== 'internal') return error;
  return new CortenError(
    'internal',
    `driver failed programming external connectivity on endpoint ${endpoint.endpointId.slice(0, 12)}: ${error.message}`,
    { cause: error },
  );
}
