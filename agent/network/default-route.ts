/** Which of its networks a container leaves the machine by: the first that is not internal. */
import type { EndpointView } from '../contract/container.ts';
import type { NetworkDefinition, SandboxNetwork } from './networks.ts';
import { addDefaultRoute, everyDestination, listRoutes } from './route.ts';
import { Rtnetlink } from './rtnetlink.ts';

/** Its published ports lead there, and so does its default route. */
export function defaultRouteEndpoint(
  endpoints: readonly EndpointView[],
  networks: readonly NetworkDefinition[],
): EndpointView | undefined {
  return endpoints.find(({ networkId }) =>
    networks.some(({ id, internal }) => id === networkId && !internal),
  );
}

/** What a container's own administrator has set (CAP_NET_ADMIN) stays. */
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
