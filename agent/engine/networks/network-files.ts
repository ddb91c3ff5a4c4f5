/**
 * `/etc/hostname`, `/etc/hosts` and `/etc/resolv.conf` of a container, which are mounted over the
 * image's. They are written in place, because a mounted file shows only changes of its inode.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname as machineName } from 'node:os';
import type { EndpointView } from '../../contract/container.ts';
import { hostNames } from '../../contract/host-names.ts';
import type { EngineContext } from '../context.ts';
import { shortId } from '../ids.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { endpointSettings } from './network-endpoints.ts';

/** What the files are written from; the process of a build's step has no more of a record. */
export type FilesOwner = Pick<ContainerRecord, 'id' | 'settings' | 'files'>;

type NetworkParts = Pick<EngineContext, 'networks' | 'network'>;

const ownLoopback = '127.0.0.1';

/** The hostname in the container's UTS namespace. */
export function hostnameOf(record: Pick<ContainerRecord, 'id' | 'settings'>): string {
  const { hostname, namespaces, network } = record.settings;
  if (hostname !== undefined && hostname !== '') return hostname;
  return namespaces.uts === 'host' || network.mode === 'host' ? machineName() : shortId(record.id);
}

/** Writes the files before the mounts are made, when no address is known yet. */
export function writeNetworkFiles(context: NetworkParts, record: FilesOwner): void {
  writeFileSync(record.files.hostname, `${hostnameOf(record)}\n`);
  writeFileSync(record.files.resolvConf, resolvText(context, record));
  writeHosts(context, record, []);
}

/**
 * Writes resolv.conf again when the container's first network may have changed. Changes made inside
 * the container stay.
 */
export function refreshResolvConf(
  context: NetworkParts,
  before: FilesOwner,
  after: FilesOwner,
): void {
  const { resolvConf } = after.files;
  if (readTextIfThere(resolvConf) === resolvText(context, before))
    writeFileSync(resolvConf, resolvText(context, after));
}

/** Writes the hosts file again when addresses changed. */
export function writeHosts(
  { networks, network }: NetworkParts,
  record: FilesOwner,
  endpoints: readonly EndpointView[],
): void {
  const [first] = endpoints;
  if (record.settings.network.mode === 'host') {
    const hostAddress = network.hostAddress(ownLoopback);
    writeFileSync(record.files.hosts, hostsOfMachine(record, hostAddress));
    return;
  }
  // Containers on an internal network cannot reach the host, so they get no name for it.
  const definition = networks.definitions().find(({ id }) => id === first?.networkId);
  const hostAddress =
    first && !definition?.internal ? network.hostAddress(first.gateway) : undefined;
  writeFileSync(
    record.files.hosts,
    hostsText(record, { hostname: hostnameOf(record), endpoints, hostAddress }),
  );
}

function hostsText(
  record: FilesOwner,
  {
    hostname,
    endpoints,
    hostAddress,
  }: { hostname: string; endpoints: readonly EndpointView[]; hostAddress: string | undefined },
): string {
  const { domainname } = record.settings;
  const names = domainname ? `${hostname}.${domainname} ${hostname}` : hostname;
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...extraHosts(record, hostAddress ?? endpoints[0]?.gateway),
    ...namesOfHost(record, hostAddress),
    ...endpoints
      .filter(({ ipv4Address }) => ipv4Address !== '')
      .map(({ ipv4Address }) => `${ipv4Address}\t${names}`),
    '',
  ].join('\n');
}

function hostsOfMachine(record: FilesOwner, hostAddress: string): string {
  const own = readTextIfThere('/etc/hosts').trimEnd();
  const added = [...extraHosts(record, hostAddress), ...namesOfHost(record, hostAddress)];
  return [own, ...added, ''].join('\n');
}

/** The names of the host, without those that the user has mapped to another address. */
function namesOfHost(record: FilesOwner, hostAddress: string | undefined): string[] {
  const taken = record.settings.network.extraHosts.map((line) => line.slice(0, line.indexOf(':')));
  const names = hostNames.filter((name) => !taken.includes(name));
  return hostAddress === undefined || names.length === 0
    ? []
    : [`${hostAddress}\t${names.join(' ')}`];
}

function extraHosts(record: FilesOwner, gateway: string | undefined): string[] {
  return record.settings.network.extraHosts.map((line) => {
    // The first colon separates name and address, because an IPv6 address contains colons too.
    const colon = line.indexOf(':');
    const address = line.slice(colon + 1);
    return `${address === 'host-gateway' ? (gateway ?? ownLoopback) : address}\t${line.slice(0, colon)}`;
  });
}

function resolvText({ networks, network }: NetworkParts, record: FilesOwner): string {
  const [first] = endpointSettings(record);
  const definition = first && networks.find(first.network).definition;
  const nameservers = definition === undefined ? undefined : network.nameservers(definition);
  const { dns, dnsSearch, dnsOptions } = record.settings.network;
  const machine = readTextIfThere('/etc/resolv.conf').split('\n');
  const keep = (word: string) => machine.filter((line) => line.startsWith(`${word} `));
  const servers = dns.length > 0 ? dns : nameservers;
  // `.` means no search list (docker run --dns-search).
  const search = dnsSearch.filter((domain) => domain !== '.');
  return [
    ...(servers === undefined
      ? keep('nameserver')
      : servers.map((address) => `nameserver ${address}`)),
    ...(dnsSearch.length === 0
      ? keep('search')
      : search.length === 0
        ? []
        : [`search ${search.join(' ')}`]),
    ...(dnsOptions.length === 0 ? keep('options') : [`options ${dnsOptions.join(' ')}`]),
    '',
  ].join('\n');
}

function readTextIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The machine has no such file.
    return '';
  }
}
