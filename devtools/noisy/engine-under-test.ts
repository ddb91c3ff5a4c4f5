/** An engine in a confinement of its own with a quiet container, and how noisy containers slow both of them down. */
import { type ChildProcess, execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { percentile } from '../bench/measure.ts';
import { type Engine, startEngines, starterImage } from '../peers/engines.ts';
import { withTimeout } from '../peers/timeout.ts';
import { Confinement, type Headroom, mountSmallDisk, watchHeadroom } from './confinement.ts';
import { parseReading, type Reading } from './meter.ts';
import { goalRatio, type Row } from './table.ts';

const built = (name: string) => resolve(import.meta.dirname, '../../dist/noise', name);
const noisePath = built('noise');
const meterPath = built('meter');
const run = promisify(execFile);
const quietSeconds = 3;
/** The time from the start of a noise to the measurement, in which a disk fills and a fork bomb grows. */
const rampUpMs = 1500;
const recoveryWindowSeconds = 1.5;
const recoveryTimeoutMs = 20_000;

/** The engines by the names that --engines takes, with the parameters in which they differ from their defaults. */
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

export async function startEngineUnderTest(
  name: string,
  overOthers: boolean,
): Promise<EngineUnderTest> {
  const variant = variants[name];
  if (variant === undefined) throw new Error(`no engine ${name}`);
  const [engine] = await startEngines('noisy', {
    only: [variant.engine],
    parameters: variant.parameters,
    prepareState: mountSmallDisk,
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
    const confinement = new Confinement(engine.state, State.Pid, engine.pid, overOthers);
    return new EngineUnderTest(name, engine, neighbour, confinement);
  } catch (error) {
    await engine.stop();
    throw error;
  }
}

export class EngineUnderTest {
  readonly name: string;
  readonly #engine: Engine;
  readonly #neighbour: string;
  readonly #confinement: Confinement;
  #meter: ChildProcess | undefined;

  constructor(name: string, engine: Engine, neighbour: string, confinement: Confinement) {
    this.name = name;
    this.#engine = engine;
    this.#neighbour = neighbour;
    this.#confinement = confinement;
  }

  /** Runs one container for each of `names` at the same time for about `seconds`, then removes them. */
  async measureNoise(noise: string, names: string[], seconds: number): Promise<Row> {
    const address = await this.#neighbourAddress();
    const quiet = await this.#read(quietSeconds, address);
    const groups = this.#confinement.containerGroups();
    const before = this.#confinement.headroom();
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
      // Requests after the noise has ended must not count as its effect.
      this.#meter?.kill();
      void this.#remove(noisy);
    };
    const watching = watchHeadroom(this.#confinement, ended.signal, stop);
    let loud: Reading;
    try {
      await Promise.all(noisy.map((id) => this.#start(id)));
      await sleep(rampUpMs);
      loud = await this.#read(seconds - rampUpMs / 1000, address);
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
    for (const group of this.#confinement.containerGroups())
      await this.#confinement.killGroup(group);
    await this.#engine.stop();
  }

  /** The IP address of the neighbour, which is started again when an earlier noise has ended it. */
  async #neighbourAddress(): Promise<string> {
    await this.#start(this.#neighbour);
    const { NetworkSettings } = await inspect(this.#engine, this.#neighbour);
    const address = Object.values(NetworkSettings.Networks)[0]?.IPAddress;
    if (!address) throw new Error(`the neighbour of ${this.name} has no address`);
    return address;
  }

  /** A noise may keep another from starting. The run goes on, and the slow API shows in its own column. */
  async #start(id: string): Promise<void> {
    const starting = this.#engine.client.call('POST', `/containers/${id}/start`);
    await withTimeout(starting, 10_000).catch((error: Error) =>
      console.error(`noisy: ${this.name}: ${error.message}`),
    );
  }

  async #remove(ids: string[]): Promise<void> {
    const removals = ids.map((id) =>
      this.#engine.client.call('DELETE', `/containers/${id}?force=1&v=1`),
    );
    // A container that is gone already is no error, and one that cannot be removed is listed as a leftover.
    const failed = (error: Error) => console.error(`noisy: ${this.name}: ${error.message}`);
    const outcomes = await withTimeout(Promise.allSettled(removals)).catch(failed);
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

  /** Seconds since `begin` after which both p99 meet the goal. `undefined`: they did not in time. */
  async #recovered(quiet: Reading, address: string, begin: number): Promise<number | undefined> {
    const isBack = (of: 'neighbourMs' | 'apiMs', now: Reading) =>
      percentile(now[of], 0.99) <= goalRatio * percentile(quiet[of], 0.99);
    while (Date.now() - begin < recoveryTimeoutMs) {
      const elapsedS = (Date.now() - begin) / 1000;
      const now = await this.#read(recoveryWindowSeconds, address);
      if (isBack('neighbourMs', now) && isBack('apiMs', now)) return elapsedS;
    }
    return undefined;
  }

  /** What the removal left, in words. Its processes are killed, so that the next noise is measured alone. */
  async #leftovers(groups: string[], before: Headroom): Promise<string[]> {
    const now = this.#confinement.headroom();
    const more = this.#confinement.containerGroups().filter((group) => !groups.includes(group));
    for (const group of more) await this.#confinement.killGroup(group);
    const shares = (['pids', 'disk', 'inodes', 'memory'] as const)
      .filter((name) => before[name] - now[name] > 0.02)
      .map((name) => `${name} ${Math.round((before[name] - now[name]) * 100)} %`);
    return more.length === 0 ? shares : [`${more.length} groups`, ...shares];
  }
}

async function create(engine: Engine, settings: object): Promise<string> {
  const body = { Image: starterImage, ...settings };
  const created = await withTimeout(engine.client.call('POST', '/containers/create', body));
  return (created as { Id: string }).Id;
}

async function inspect(engine: Engine, id: string): Promise<Inspected> {
  return (await withTimeout(engine.client.call('GET', `/containers/${id}/json`))) as Inspected;
}
