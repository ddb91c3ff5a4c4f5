/** The running app over its local socket: the bridge that the UI speaks, and links for browsers. */
import { WebSocket } from 'ws';
import { bridgePath } from '../electron/browser/server.ts';
import { portOf } from '../electron/browser/socket-port.ts';
import type { Bridge } from '../electron/contract/bridge.ts';
import {
  type AppFacts,
  type AppLink,
  appPath,
  linkPath,
} from '../electron/contract/local-socket.ts';
import type { Machines, MachineView } from '../electron/contract/machines.ts';
import type { ToHost, ToRenderer } from '../electron/contract/wire.ts';
import { WireClient } from '../electron/contract/wire-client.ts';
import { Engine } from './engine/engine.ts';
import { CommandFailure } from './failure.ts';

export class AppConnection implements Pick<Bridge, 'request' | 'stream'> {
  readonly facts: AppFacts;
  readonly #http: Engine;
  readonly #socketPath: string;
  #wire: Promise<{ client: WireClient; close(): void }> | undefined;

  private constructor(http: Engine, facts: AppFacts) {
    this.#http = http;
    this.#socketPath = http.socketPath;
    this.facts = facts;
  }

  /** Throws the failure that says how to start the app where none answers. */
  static async open(socketPath: string): Promise<AppConnection> {
    const http = new Engine(socketPath);
    return new AppConnection(http, await http.ask<AppFacts>('GET', appPath));
  }

  link(): Promise<AppLink> {
    return this.#http.ask('POST', linkPath);
  }

  request = (async (channel: string, value?: unknown) =>
    (await this.#client()).request(channel, value)) as Bridge['request'];

  async *stream<C extends Parameters<Bridge['stream']>[0]>(
    channel: C,
    request: Parameters<Bridge['stream']>[1],
    signal?: AbortSignal,
  ) {
    yield* (await this.#client()).stream(channel, request, signal) as AsyncIterable<never>;
  }

  async machines(): Promise<MachineView[]> {
    return (await this.machineList()).machines;
  }

  /** The machines, and the kinds of which more can be added. */
  async machineList(): Promise<Machines> {
    for await (const list of this.stream('machines.watch', null) as AsyncIterable<Machines>)
      return list;
    return { machines: [], kinds: [], notices: [] };
  }

  /** By id or by name. Throws a failure that lists what there is. */
  async machine(word: string): Promise<MachineView> {
    const all = await this.machines();
    const found = all.find(({ id }) => id === word) ?? all.filter(({ name }) => name === word);
    if (!Array.isArray(found)) return found;
    if (found.length > 1)
      throw new CommandFailure(
        `${found.length} machines are named "${word}".`,
        `Use an id: ${found.map(({ id }) => id).join(', ')}.`,
      );
    if (found[0] !== undefined) return found[0];
    throw new CommandFailure(
      `There is no machine "${word}".`,
      `There are: ${all.map(({ id, name }) => `${id} (${name})`).join(', ')}.`,
    );
  }

  close(): void {
    this.#http.close();
    this.#wire?.then(
      ({ close }) => close(),
      // It was never open.
      () => {},
    );
  }

  async #client(): Promise<WireClient> {
    this.#wire ??= openWire(this.#socketPath);
    return (await this.#wire).client;
  }
}

function openWire(socketPath: string): Promise<{ client: WireClient; close(): void }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws+unix:${socketPath}:${bridgePath}`);
    // Made before `open`: the host may speak at once.
    const client = new WireClient(portOf<ToHost, ToRenderer>(socket));
    socket.once('open', () => resolve({ client, close: () => socket.terminate() }));
    socket.once('error', (error) =>
      reject(
        new CommandFailure(
          `The app does not answer: ${error.message}.`,
          'Start it again: `corten stop`, then `corten start`.',
        ),
      ),
    );
  });
}
