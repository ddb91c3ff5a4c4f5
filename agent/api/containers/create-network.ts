/** Translates networks, published ports and host names to NetworkSettings. */
import { isIP, isIPv4 } from 'node:net';
import type { EndpointSettings, NetworkSettings, PortBinding } from '../../contract/container.ts';
import { invalid } from '../../errors.ts';
import { Fields } from '../fields.ts';

export function readNetwork(body: Fields, host: Fields, networking: Fields): NetworkSettings {
  const settings: NetworkSettings = {
    mode: readMode(body, host, networking),
    ports: readPorts(host),
    publishAll: host.flag('PublishAllPorts') ?? false,
    exposedPorts: (body.object('ExposedPorts')?.keys() ?? []).flatMap((port) =>
      portNumbers(port).map((number) => `${number}/${protocolOf(port)}`),
    ),
    dns: readDns(host),
    dnsSearch: host.texts('DnsSearch') ?? [],
    dnsOptions: host.texts('DnsOptions') ?? [],
    extraHosts: (host.texts('ExtraHosts') ?? []).map(readExtraHost),
  };
  if ((host.texts('Links') ?? []).length > 0)
    throw invalid(
      'links are not supported: connect both containers to a user-defined network, where they resolve each other by name',
    );
  refuseConflicts(body, settings);
  return settings;
}

/** Reads an endpoint of `network connect` or of create's EndpointsConfig. */
export function readEndpoint(network: string, endpoint: Fields): EndpointSettings {
  const refuse = (why: string) => invalid(`invalid config for network ${network}: ${why}`);
  const ipv4Address = endpoint.object('IPAMConfig')?.filled('IPv4Address');
  if (ipv4Address !== undefined && !isIPv4(ipv4Address))
    throw refuse(`invalid endpoint settings:\ninvalid IPv4 address: ${ipv4Address}`);
  const macAddress = endpoint.filled('MacAddress');
  if (macAddress !== undefined && !/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(macAddress))
    throw refuse(`invalid MAC address ${macAddress}`);
  if ((endpoint.texts('Links') ?? []).length > 0)
    throw refuse('links are not supported: containers on one network resolve each other by name');
  return { network, aliases: endpoint.texts('Aliases') ?? [], ipv4Address, macAddress };
}

function readMode(body: Fields, host: Fields, networking: Fields): NetworkSettings['mode'] {
  const mode = networkName(host.filled('NetworkMode') ?? 'default');
  if (body.flag('NetworkDisabled') === true || mode === 'none') return 'none';
  if (mode === 'host') return 'host';
  if (mode === 'container' || mode.startsWith('container:')) {
    const container = mode.slice('container:'.length);
    if (container === '')
      throw invalid('Invalid network mode: invalid container format container:<name|id>');
    return { container };
  }
  const endpoints = new Map<string, EndpointSettings>([[mode, { network: mode, aliases: [] }]]);
  const asked = networking.object('EndpointsConfig');
  for (const name of asked?.keys() ?? []) {
    const network = networkName(name);
    // Compose and the CLI send null for an endpoint without settings.
    endpoints.set(network, readEndpoint(network, new Fields(asked?.document[name] ?? {}, name)));
  }
  const macAddress = body.filled('MacAddress');
  const first = endpoints.get(mode)!;
  if (macAddress !== undefined && first.macAddress === undefined)
    endpoints.set(mode, readEndpointMac(first, macAddress));
  return { networks: [...endpoints.values()] };
}

/** Clients before API 1.44 send one MAC address for the container, which belongs to its first network. */
function readEndpointMac(endpoint: EndpointSettings, macAddress: string): EndpointSettings {
  const checked = readEndpoint(endpoint.network, new Fields({ MacAddress: macAddress }));
  return { ...endpoint, macAddress: checked.macAddress };
}

function networkName(name: string): string {
  return name === 'default' ? 'bridge' : name;
}

function readPorts(host: Fields): PortBinding[] {
  const bindings = host.object('PortBindings');
  return (bindings?.keys() ?? []).flatMap((port) => {
    const protocol = protocolOf(port);
    return portNumbers(port).flatMap((containerPort, index) => {
      const entries = bindings?.objects(port) ?? [];
      // A list that is empty or null publishes on any free port, as in dockerd.
      const wanted = entries.length === 0 ? [new Fields({})] : entries;
      return wanted.map((entry) => readBinding(entry, containerPort, index, protocol));
    });
  });
}

function readBinding(
  entry: Fields,
  containerPort: number,
  index: number,
  protocol: PortBinding['protocol'],
): PortBinding {
  const hostAddress = entry.filled('HostIp');
  if (hostAddress !== undefined && isIP(hostAddress) === 0)
    throw invalid(`invalid host address "${hostAddress}" for port ${containerPort}/${protocol}`);
  const text = entry.filled('HostPort');
  const range = text === undefined ? undefined : /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (range === null) throw invalid(`invalid port specification: "${text}"`);
  const first = Number(range?.[1] ?? 0);
  const last = Number(range?.[2] ?? first);
  if (last > 65535 || last < first) throw invalid(`invalid port specification: "${text}"`);
  return {
    containerPort,
    protocol,
    hostAddress,
    hostPort: first === 0 ? undefined : last > first ? first + index : first,
    hostPortEnd: last > first ? last : undefined,
  };
}

/** Port numbers of `80/tcp`, `80` or a range `80-82/udp`. */
function portNumbers(port: string): number[] {
  const text = port.split('/')[0] ?? '';
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  if (match === null || first < 1 || last > 65535 || last < first)
    throw invalid(`invalid port specification: "${text}"`);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function protocolOf(port: string): PortBinding['protocol'] {
  const protocol = (port.split('/')[1] ?? 'tcp').toLowerCase();
  if (protocol !== 'tcp' && protocol !== 'udp')
    throw invalid(`invalid port "${port}": the protocol must be tcp or udp`);
  return protocol;
}

function readDns(host: Fields): string[] {
  const servers = host.texts('Dns') ?? [];
  for (const server of servers) {
    if (isIP(server) === 0) throw invalid(`invalid DNS server address: ${server}`);
  }
  return servers;
}

/** Reads `name:address`; IPv6 addresses contain colons and may be in brackets. */
function readExtraHost(line: string): string {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon);
  if (colon < 1) throw invalid(`bad format for add-host: "${line}"`);
  const address = line.slice(colon + 1).replace(/^\[(.*)\]$/, '$1');
  if (address !== 'host-gateway' && isIP(address) === 0)
    throw invalid(`invalid IP address in add-host: "${address}"`);
  return `${name}:${address}`;
}

/** Refuses conflicting options in the order of moby's validateNetMode (runconfig/hostconfig_unix.go). */
function refuseConflicts(body: Fields, settings: NetworkSettings): void {
  const shared = typeof settings.mode === 'object' && 'container' in settings.mode;
  if (!shared) return;
  const refuse = (what: string) => {
    throw invalid(`conflicting options: ${what}`);
  };
  if (body.filled('Hostname') !== undefined) refuse('hostname and the network mode');
  if (settings.dns.length > 0) refuse('dns and the network mode');
  if (settings.extraHosts.length > 0) refuse('custom host-to-IP mapping and the network mode');
  if (body.filled('MacAddress') !== undefined) refuse('mac-address and the network mode');
  if (settings.ports.length > 0 || settings.publishAll)
    refuse('port publishing and the container type network mode');
  if (settings.exposedPorts.length > 0) refuse('port exposing and the container type network mode');
}
