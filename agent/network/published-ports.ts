/** Published ports, per container: the held socket and the translation, together or not at all. */
import type { EndpointView, PortBinding, PublishedPort } from '../contract/container.ts';
import { CortenError } from '../errors.ts';
import type { Nat } from './nat.ts';
import type { HeldPort, HostPorts } from './ports.ts';
import { everyAddress, type PortMapping } from './ruleset.ts';

interface Published {
  mappings: PortMapping[];
  held: HeldPort[];
}

export class PublishedPorts {
  readonly #nat: Nat;
  readonly #hostPorts: HostPorts;
  /** Makes UDP clients that keep sending follow the port's new owner. */
  readonly #forgetUdpFlows: (hostPorts: ReadonlySet<number>) => void;
  readonly #byContainer = new Map<string, Published>();

  constructor(
    nat: Nat,
    hostPorts: HostPorts,
    forgetUdpFlows: (hostPorts: ReadonlySet<number>) => void,
  ) {
    this.#nat = nat;
    this.#hostPorts = hostPorts;
    this.#forgetUdpFlows = forgetUdpFlows;
  }

  async publish(
    containerId: string,
    endpoint: EndpointView,
    bindings: readonly PortBinding[],
  ): Promise<PublishedPort[]> {
    const held: HeldPort[] = [];
    try {
      const published: PublishedPort[] = [];
      for (const binding of bindings) {
        const port = await this.#hostPorts.hold(binding);
        held.push(port);
        published.push({
          containerPort: binding.containerPort,
          protocol: binding.protocol,
          hostAddress: port.hostAddress,
          hostPort: port.hostPort,
        });
      }
      const mappings = published.map((port) => mappingOf(port, endpoint.ipv4Address));
      await this.#nat.publish(mappings);
      this.#remember(containerId, { mappings, held });
      this.#forgetUdpFlows(udpPorts(mappings));
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
    try {
      await this.#nat.unpublish(published.mappings);
      this.#forgetUdpFlows(udpPorts(published.mappings));
    } finally {
      for (const port of published.held) port.release();
    }
  }

  /**
   * Holds ports of a container that ran on while the agent was away. Their translation works in any
   * case, so a program that took one meanwhile is left alone.
   */
  async restore(containerId: string, mappings: PortMapping[]): Promise<void> {
    const held: HeldPort[] = [];
    for (const { protocol, hostAddress, hostPort, containerPort } of mappings) {
      try {
        held.push(await this.#hostPorts.hold({ protocol, hostAddress, hostPort, containerPort }));
      } catch (error) {
        if (!(error instanceof CortenError)) throw error;
      }
    }
    this.#remember(containerId, { mappings, held });
  }

  /** Gives the sockets up; translations stay, for containers that outlive the agent. */
  close(): void {
    for (const published of this.#byContainer.values())
      for (const port of published.held) port.release();
    this.#byContainer.clear();
  }

  #remember(containerId: string, { mappings, held }: Published): void {
    const known = this.#byContainer.get(containerId) ?? { mappings: [], held: [] };
    this.#byContainer.set(containerId, {
      mappings: [...known.mappings, ...mappings],
      held: [...known.held, ...held],
    });
  }
}

export function mappingsOf(
  ports: readonly PublishedPort[],
  containerAddress: string,
): PortMapping[] {
  return ports
    .filter((port) => port.hostPort !== undefined)
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

/** dockerd's sentence around the cause; clients show it as it is. */
function withEndpoint(error: unknown, endpoint: EndpointView): unknown {
  if (!(error instanceof CortenError) || error.kind !== 'internal') return error;
  return new CortenError(
    'internal',
    `driver failed programming external connectivity on endpoint ${endpoint.endpointId.slice(0, 12)}: ${error.message}`,
    { cause: error },
  );
}
