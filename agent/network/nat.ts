/**
 * Address translation and isolation: keeps the wanted rules in memory and the kernel's table equal to them. Only the
 * kernel forwards packets, so traffic goes on without the agent.
 */
import { spawn } from 'node:child_process';
import { CortenError } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { type EngineNetwork, hostNetwork } from './engine-network.ts';
import type { NetworkDefinition } from './networks.ts';
import type { NftablesSocket } from './nftables.ts';
import { type PortMapping, type RulesetState, renderRuleset } from './ruleset.ts';

export class Nat {
  readonly #table: string;
  readonly #socket: NftablesSocket;
  readonly #netns: EngineNetwork;
  readonly #networks = new Map<string, NetworkDefinition>();
  readonly #ports = new Map<string, PortMapping>();
  #outside: readonly string[] = [];
  /** Changes run one after the other, because a reload must not lose a port that was added meanwhile. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(table: string, socket: NftablesSocket, netns: EngineNetwork = hostNetwork) {
    this.#netns = netns;
    this.#table = table;
    this.#socket = socket;
  }

  get tableExists(): boolean {
    return this.#socket.hasTable(this.#table);
  }

  /** Adds the network's isolation and masquerading; also restores a table that somebody flushed. */
  addNetwork(network: NetworkDefinition): Promise<void> {
    return this.#serialised(async () => {
      if (this.#networks.has(network.id) && this.tableExists) return;
      this.#networks.set(network.id, network);
      await this.#load();
    });
  }

  removeNetwork(id: string): Promise<void> {
    return this.#serialised(async () => {
      if (this.#networks.delete(id)) await this.#load();
    });
  }

  /** Publishes all ports or none. The caller has reserved them. */
  publish(ports: readonly PortMapping[]): Promise<void> {
    return this.#serialised(async () => {
      for (const port of ports) this.#ports.set(keyOf(port), port);
      try {
        await this.#add(ports);
      } catch (error) {
        for (const port of ports) this.#ports.delete(keyOf(port));
        throw error;
      }
    });
  }

  async #add(ports: readonly PortMapping[]): Promise<void> {
    try {
      this.#socket.addPorts(this.#table, ports);
    } catch (error) {
      // Somebody flushed the ruleset, or an old element is in the way: load the whole table.
      if (!hasErrno(error, 'ENOENT', 'EEXIST')) throw error;
      await this.#load();
    }
  }

  unpublish(ports: readonly PortMapping[]): Promise<void> {
    return this.#serialised(async () => {
      for (const port of ports) this.#ports.delete(keyOf(port));
      try {
        this.#socket.deletePorts(this.#table, ports);
      } catch (error) {
        if (!hasErrno(error, 'ENOENT')) throw error;
        await this.#load();
      }
    });
  }

  /** Replaces all networks and ports at once, after the agent's restart. */
  restore(networks: readonly NetworkDefinition[], ports: readonly PortMapping[]): Promise<void> {
    return this.#serialised(async () => {
      this.#networks.clear();
      this.#ports.clear();
      for (const network of networks) this.#networks.set(network.id, network);
      for (const port of ports) this.#ports.set(keyOf(port), port);
      if (this.tableExists) this.#outside = await listSet(this.#netns, this.#table, 'outside');
      await this.#load();
    });
  }

  /** Interfaces between which nothing may be forwarded, although containers need forwarding to be on. */
  keepApart(interfaces: readonly string[]): void {
    this.#outside = interfaces;
  }

  async #load(): Promise<void> {
    const state: RulesetState = {
      table: this.#table,
      networks: [...this.#networks.values()],
      ports: [...this.#ports.values()],
      outside: this.#outside,
    };
    const text =
      state.networks.length === 0
        ? `table inet ${this.#table}\ndelete table inet ${this.#table}\n`
        : renderRuleset(state);
    await runNft(this.#netns, ['-f', '-'], text);
  }

  #serialised(change: () => Promise<void>): Promise<void> {
    const result = this.#last.then(change);
    // The next change must run even if this one fails; its caller gets the error.
    this.#last = result.catch(() => undefined);
    return result;
  }
}

const keyOf = (port: PortMapping) => `${port.hostAddress} ${port.protocol} ${port.hostPort}`;

async function listSet(netns: EngineNetwork, table: string, set: string): Promise<string[]> {
  const answer = JSON.parse(await runNft(netns, ['-j', 'list', 'set', 'inet', table, set])) as {
    nftables: { set?: { elem?: string[] } }[];
  };
  return answer.nftables.flatMap((entry) => entry.set?.elem ?? []);
}

/** Resolves with nft's output. Throws unavailable when the program is missing. */
function runNft(netns: EngineNetwork, options: readonly string[], script = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const [program, ...words] = netns.commandLine(['nft', ...options]);
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      output += piece;
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      complaint += piece;
    });
    child.on('error', (error) => reject(hasErrno(error, 'ENOENT') ? missing(error) : error));
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new CortenError('internal', `nft refused our rules: ${complaint.trim()}`));
    });
    // EPIPE when nft ended early; its exit status tells why.
    child.stdin.on('error', () => undefined).end(script);
  });
}

const missing = (cause: unknown) =>
  new CortenError(
    'unavailable',
    'the nft program is missing, which networks need; install the package "nftables"',
    { cause },
  );
