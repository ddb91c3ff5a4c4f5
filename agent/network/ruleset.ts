/**
 * The agent's nftables table as text (nft(8)). Rules never change: networks and published ports are elements of sets
 * and maps, so that publishing a port adds an element and not a rule that every packet has to pass.
 * docs/decisions/0007-networking.md has the reasons.
 */
import type { NetworkDefinition } from './networks.ts';

/** A port of the machine that is translated to a container. */
export interface PortMapping {
  protocol: 'tcp' | 'udp';
  /** `0.0.0.0` is every address of the machine. */
  hostAddress: string;
  hostPort: number;
  containerAddress: string;
  containerPort: number;
}

export interface RulesetState {
  table: string;
  networks: readonly NetworkDefinition[];
  ports: readonly PortMapping[];
  /** Interfaces between which this machine did not forward before the agent switched forwarding on. */
  outside: readonly string[];
}

export const everyAddress = '0.0.0.0';

export const portMaps = { everyAddress: 'published', oneAddress: 'published_at' } as const;

/** Text that replaces the table in one transaction, so that no packet sees a state in between. */
export function renderRuleset(state: RulesetState): string {
  const { table, networks, ports } = state;
  const bridges = networks.map((network) => quoted(network.bridge));
  const closed = networks.filter((network) => network.internal).map(({ bridge }) => quoted(bridge));
  const pairs = networks.map(({ bridge }) => `${quoted(bridge)} . ${quoted(bridge)}`);
  const masqueraded = networks
    .filter((network) => !network.internal && masquerades(network))
    .map((network) => network.subnet);
  const anywhere = ports.filter((port) => port.hostAddress === everyAddress);
  const somewhere = ports.filter((port) => port.hostAddress !== everyAddress);
  return `table inet ${table}
delete table inet ${table}
table inet ${table} {
  set bridges { type ifname; ${elements(bridges)} }
  set internal { type ifname; ${elements(closed)} }
  set outside { type ifname; ${elements(state.outside.map(quoted))} }
  set same_network { type ifname . ifname; ${elements(pairs)} }
  set subnets { type ipv4_addr; flags interval; ${elements(networks.map(({ subnet }) => subnet))} }
  set masqueraded { type ipv4_addr; flags interval; ${elements(masqueraded)} }
  map ${portMaps.everyAddress} {
    type inet_proto . inet_service : ipv4_addr . inet_service
    ${elements(anywhere.map((port) => `${port.protocol} . ${port.hostPort} : ${target(port)}`))}
  }
  map ${portMaps.oneAddress} {
    type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
    ${elements(
      somewhere.map(
        (port) => `${port.hostAddress} . ${port.protocol} . ${port.hostPort} : ${target(port)}`,
      ),
    )}
  }

  # route_localnet on the bridges lets 127.0.0.1:port of the machine reach containers. This is its
  # other half: no container reaches the machine's loopback (CVE-2020-8558). It comes before
  # conntrack, where answers still carry the bridge's own address.
  chain no_loopback {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }

  chain from_network {
    type nat hook prerouting priority dstnat; policy accept;
    # A port published on 127.0.0.1 is for this machine alone; a neighbour can send such packets.
    ip daddr 127.0.0.0/8 return
    fib daddr type local jump publish
  }

  chain from_machine {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump publish
  }

  chain publish {
    dnat ip to ip daddr . meta l4proto . th dport map @${portMaps.oneAddress}
    dnat ip to meta l4proto . th dport map @${portMaps.everyAddress}
  }

  chain leaving {
    type nat hook postrouting priority srcnat; policy accept;
    oifname != @bridges oifname != "lo" ip saddr @masqueraded masquerade
    # A container that calls a published port of its own network, or of itself, must get its answer
    # through the machine, which undoes the translation.
    oifname @bridges ct status dnat ip saddr @subnets masquerade
    oifname @bridges ip saddr 127.0.0.0/8 masquerade
  }

  chain passing {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    iifname . oifname @same_network accept
    iifname @internal drop
    oifname @internal drop
    ct status dnat accept
    # Into a network only through a published port: neither from other networks nor from neighbours
    # of the machine that route a container's address to it.
    oifname @bridges drop
    iifname @outside oifname @outside drop
  }
}
`;
}

export function masquerades(network: NetworkDefinition): boolean {
  return network.options['com.docker.network.bridge.enable_ip_masquerade'] !== 'false';
}

const target = (port: PortMapping) => `${port.containerAddress} . ${port.containerPort}`;

const quoted = (name: string) => `"${name}"`;

/** The `elements` clause, which nft refuses when empty. */
function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} }`;
}
