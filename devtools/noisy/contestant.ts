/** An engine in a room of its own, with a well-behaved container in it, and what noise does to both. */
import { type ChildProcess, execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { within } from '../attack/box.ts';
import { percentile } from '../bench/measure.ts';
import { type Engine, startEngines, starterImage } from '../peers/engines.ts';
import { parseReading, type Reading } from './meter.ts';
import { type Left, mountRoom, Room, watch } from './room.ts';
import { goalRatio, type Row } from './table.ts';

const built = (name: string) => resolve(import.meta.dirname, '../../dist/noise', name);
const noisePath = built('noise');
const meterPath = built('meter');
const run = promisify(execFile);
const quietSeconds = 3;
/** Between the start of a noise and the measurement: a disk has to fill, a bomb to grow. */
const growMs = 1500;
const recoveryWindowSeconds = 1.5;
const recoveryPatienceMs = 20_000;

/** Each engine with its defaults; the limit of disk space is one that Corten has only when told. */
export const variants: Record<string, { engine: Engine['name']; parameters: string[] }> = {
  corten: { engine: 'corten', parameters: [] },
  'corten-kernel-slice': { engine: 'corten', parameters: ['--cpu-slice', 'kernel'] },
  'corten-disk': { engine: 'corten', parameters: ['--default-disk', '1g'] },
  dockerd: { engine: 'dockerd', parameters: [] },
};

interface Inspected {
  State: { Pid: number; Running: boolean };
  NetworkSettings: { Networks: { [name: string]: { IPAddress: string } } };
}

export async function startContestant(name: string, overOthers: boolean): Promise<Contestant> {
  const variant = variants[name];
  if (variant === undefined) throw new Error(`no engine ${name}`);
  const [engine] = await startEngines('noisy', {
    only: [variant.engine],
    parameters: variant.parameters,
    prepareState: mountRoom,
    quiet: true,
    inOwnSession: true,
  });
  if (engine === undefined) throw new Error(`${variant.engine} is not installed`);
  try {
    const neighbour = await create(engine, {
      Cmd: ['sh', '-c', 'mkdir /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www'],
    });
    await engine.client.call('POST', `/containers/${neighbour}/start`);
    const { State } = await inspect(engine, neighbour);
    const room = new Room(engine.state, State.Pid, engine.pid, overOthers);
    return new Contestant(name, engine, neighbour, room);
  } catch (error) {
    await engine.stop();
    throw error;
  }
}

export class Contestant {
  readonly name: string;
  readonly #engine: Engine;
  readonly #neighbour: string;
  readonly #room: Room;
  #meter: ChildProcess | undefined;

  constructor(name: string, engine: Engine, neighbour: string, room: Room) {
    this.name = name;
    this.#engine = engine;
    this.#neighbour = neighbour;
    this.#room = room;
  }

  /** Lets a container of each of `names` run at once for about `seconds`, and takes them away. */
  async endure(noise: string, names: string[], seconds: number): Promise<Row> {
    const address = await this.#neighbourAddress();
    const quiet = await this.#read(quietSeconds, address);
    const groups = this.#room.groups();
    const before = this.#room.left();
    const noisy: string[] = [];
    for (const name of names)
      noisy.push(
        await create(this.#engine, {
          Cmd: ['/noise', name, address],
          HostConfig: { Binds: [`${noisePath}:/noise:ro`] },
        }),
      );
    const ended = new AbortController();
    const stop = () => {
      // What comes now is not the noise's doing.
      this.#meter?.kill();
      void this.#remove(noisy);
    };
    const watching = watch(this.#room, ended.signal, stop);
    let loud: Reading;
    try {
      await Promise.all(noisy.map((id) => this.#start(id)));
      await sleep(growMs);
      loud = await this.#read(seconds - growMs / 1000, address);
    } finally {
      ended.abort();
    }
    const { least, stoppedFor } = await watching;
    const begin = Date.now();
    await this.#remove(noisy);
    const recoveredS = await this.#recovered(quiet, address, begin);
    const leftovers = await this.#leftovers(groups, before);
    return { noise, engine: this.name, quiet, loud, least, stoppedFor, recoveredS, leftovers };
  }

  async stop(): Promise<void> {
    await this.#remove([this.#neighbour]);
    for (const group of this.#room.groups()) await this.#room.end(group);
    await this.#engine.stop();
  }

  /** Where it answers, started again if a noise before has ended it. */
  async #neighbourAddress(): Promise<string> {
    await this.#start(this.#neighbour);
    const { NetworkSettings } = await inspect(this.#engine, this.#neighbour);
    const address = Object.values(NetworkSettings.Networks)[0]?.IPAddress;
    if (!address) throw new Error(`the neighbour of ${this.name} has no address`);
    return address;
  }

  /** One that cannot be started for the noise of the others is less noise, and seen in the API's figures. */
  async #start(id: string): Promise<void> {
    const starting = this.#engine.client.call('POST', `/containers/${id}/start`);
    await within(starting, 10_000).catch((error: Error) =>
      console.error(`noisy: ${this.name}: ${error.message}`),
    );
  }

  async #remove(ids: string[]): Promise<void> {
    const removals = ids.map((id) =>
      this.#engine.client.call('DELETE', `/containers/${id}?force=1&v=1`),
    );
    // Ended by the watch already, or not to be ended: that is among the leftovers.
    const failed = (error: Error) => console.error(`noisy: ${this.name}: ${error.message}`);
    const outcomes = await within(Promise.allSettled(removals)).catch(failed);
    for (const outcome of outcomes ?? [])
      if (outcome.status === 'rejected') failed(outcome.reason as Error);
  }

  async #read(seconds: number, address: string): Promise<Reading> {
    const { pid, socket } = this.#engine;
    const inNetwork = [`--net=/proc/${pid}/ns/net`, meterPath];
    const measuring = run('nsenter', [...inNetwork, `${seconds}`, address, '80', socket], {
      maxBuffer: 64 * 1024 ** 2,
    });
    this.#meter = measuring.child;
    return parseReading((await measuring).stdout);
  }

  /** Seconds since `begin` after which both answer as they did; undefined: not within the patience. */
  async #recovered(quiet: Reading, address: string, begin: number): Promise<number | undefined> {
    const isBack = (of: 'neighbourMs' | 'apiMs', now: Reading) =>
      percentile(now[of], 0.99) <= goalRatio * percentile(quiet[of], 0.99);
    while (Date.now() - begin < recoveryPatienceMs) {
      const elapsedS = (Date.now() - begin) / 1000;
      const now = await this.#read(recoveryWindowSeconds, address);
      if (isBack('neighbourMs', now) && isBack('apiMs', now)) return elapsedS;
    }
    return undefined;
  }

  /** What is left, in words; it is ended, or the next noise would not be measured alone. */
  async #leftovers(groups: string[], before: Left): Promise<string[]> {
    const now = this.#room.left();
    const more = this.#room.groups().filter((group) => !groups.includes(group));
    for (const group of more) await this.#room.end(group);
    const shares = (['pids', 'disk', 'inodes', 'memory'] as const)
      .filter((name) => before[name] - now[name] > 0.02)
      .map((name) => `${name} ${Math.round((before[name] - now[name]) * 100)} %`);
    return more.length === 0 ? shares : [`${more.length} groups`, ...shares];
  }
}

async function create(engine: Engine, settings: object): Promise<string> {
  const body = { Image: starterImage, ...settings };
  const created = await within(engine.client.call('POST', '/containers/create', body));
  return (created as { Id: string }).Id;
}

async function inspect(engine: Engine, id: string): Promise<Inspected> {
  return (await within(engine.client.call('GET', `/containers/${id}/json`))) as Inspected;
}
