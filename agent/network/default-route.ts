/** Chooses the network that has a container's default route: its first network that is not internal. */
import type { EndpointView } from '../contract/container.ts';
import type { NetworkDefinition, SandboxNetwork } from './networks.ts';
import { addDefaultRoute, everyDestination, listRoutes } from './route.ts';
import { Rtnetlink } from './rtnetlink.ts';

/** Endpoint that has the container's default route and its published ports. */
export function defaultRouteEndpoint(
  endpoints: readonly EndpointView[],
  networks: readonly NetworkDefinition[],
): EndpointView | undefined {
  return endpoints.find(({ networkId }) =>
    networks.some(({ id, internal }) => id === networkId && !internal),
  );
}

/** Adds a default route when there is none. A route that the container has set itself (CAP_NET_ADMIN) stays. */
export function ensureDefaultRoute(
  { netlinkFd }: Pick<SandboxNetwork, 'netlinkFd'>,
  { gateway }: Pick<EndpointView, 'gateway'>,
): void {
  const inside = new Rtnetlink(netlinkFd);
  if (!hasDefaultRoute(inside)) inside.execute(addDefaultRoute(gateway));
}

export function hasDefaultRoute(netlink: Rtnetlink): boolean {
  return listRoutes(netlink).some(({ destination }) => destination === everyDestination);
}
