/** Addresses and ports for `inspect` and `ps`. */
import type { ContainerView, EndpointView, PublishedPort } from '../../contract/container.ts';
import type { EndpointSettings, NetworkSettings, PortSummary } from '../../contract/docker.ts';
import type { Wire } from '../wire.ts';
import { isUp } from './is-up.ts';

export function networkSettings(view: ContainerView): Wire<NetworkSettings> {
  const first = view.networks.find((endpoint) => endpoint.networkName === 'bridge');
  return {
    Bridge: '',
    SandboxID: view.networkSandboxId,
    SandboxKey: view.state.pid === 0 ? '' : `/proc/${view.state.pid}/ns/net`,
    Ports: isUp(view.state.status) ? portMap(view.ports) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    // dockerd keeps the following fields of the default bridge for old clients.
    EndpointID: first?.endpointId ?? '',
    Gateway: first?.gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: first?.ipv4Address ?? '',
    IPPrefixLen: first?.prefixLength ?? 0,
    IPv6Gateway: '',
    MacAddress: first?.macAddress ?? '',
    Networks: endpointMap(view),
  };
}

/** Endpoints by network name, also before the container's first start. */
export function endpointMap(view: ContainerView): Record<string, Wire<EndpointSettings>> {
  const { mode } = view.settings.network;
  if (typeof mode === 'object' && 'container' in mode) return {};
  const asked = typeof mode === 'string' ? [mode] : mode.networks.map(({ network }) => network);
  const live = view.networks;
  const endpoints =
    live.length > 0 ? live : asked.map((networkName) => ({ ...noEndpoint, networkName }));
  return Object.fromEntries(
    endpoints.map((endpoint) => [endpoint.networkName, endpointDocument(endpoint, view)]),
  );
}

const noEndpoint: EndpointView = {
  networkId: '',
  networkName: '',
  endpointId: '',
  ipv4Address: '',
  prefixLength: 0,
  gateway: '',
  macAddress: '',
  aliases: [],
};

function endpointDocument(endpoint: EndpointView, view: ContainerView): Wire<EndpointSettings> {
  const asked = askedEndpoint(endpoint, view);
  return {
    IPAMConfig: asked.IPAMConfig ?? null,
    Links: null,
    Aliases: endpoint.aliases.length === 0 ? null : endpoint.aliases,
    MacAddress: endpoint.macAddress,
    DriverOpts: asked.DriverOpts ?? null,
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.endpointId,
    Gateway: endpoint.gateway,
    IPAddress: endpoint.ipv4Address,
    IPPrefixLen: endpoint.prefixLength,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: dnsNames(endpoint, view),
  };
}

/** DNS names of the endpoint; only user-defined networks have them (moby daemon/container_operations.go). */
function dnsNames(endpoint: EndpointView, view: ContainerView): string[] | null {
  if (['bridge', 'host', 'none'].includes(endpoint.networkName)) return null;
  return [...new Set([view.name, ...endpoint.aliases, view.id.slice(0, 12)])];
}

function askedEndpoint(endpoint: EndpointView, view: ContainerView): EndpointSettings {
  const endpoints = view.origin.networkingConfig.EndpointsConfig;
  if (typeof endpoints !== 'object' || endpoints === null) return {};
  const byName = endpoints as Record<string, EndpointSettings | null | undefined>;
  return byName[endpoint.networkName] ?? byName[endpoint.networkId] ?? {};
}

function portMap(ports: readonly PublishedPort[]): NetworkSettings['Ports'] {
  const map: NonNullable<NetworkSettings['Ports']> = {};
  for (const port of ports) {
    const key = `${port.containerPort}/${port.protocol}`;
    if (port.hostPort === undefined) map[key] ??= null;
    else
      map[key] = [
        ...(map[key] ?? []),
        { HostIp: port.hostAddress ?? '0.0.0.0', HostPort: String(port.hostPort) },
      ];
  }
  return map;
}

export function portSummaries(view: ContainerView): PortSummary[] {
  if (!isUp(view.state.status)) return [];
  return view.ports.map((port) => ({
    ...(port.hostPort === undefined ? {} : { IP: port.hostAddress ?? '0.0.0.0' }),
    PrivatePort: port.containerPort,
    ...(port.hostPort === undefined ? {} : { PublicPort: port.hostPort }),
    Type: port.protocol,
  }));
}
