/**
 * An idle machine rests: nothing of it runs, and any use wakes it. Idle is one that nothing has been
 * asked of, that has sent nothing over an open channel, and in which no container runs, for as long
 * as its settings say. What a running container does cannot be seen from outside, so it counts as use.
 */
import type { ClientChannel } from 'ssh2';
import type { EngineClient } from '../engine-client.ts';
import type { SshEndpoint } from '../ssh/endpoint.ts';
import type { ServiceLink, SshLink } from '../ssh/link.ts';

export interface RestOptions {
  /** Undefined where the settings say never. What it throws is reported, and what it said last holds. */
  afterMs(): number | undefined;
  isBusy(): Promise<boolean>;
  pause(): Promise<void>;
  wake(): Promise<void>;
  onChange(isResting: boolean): void;
  report(error: unknown): void;
}

/** How often the settings, and what the computer runs on, are looked at again. */
const lookMs = 5_000;

export class Rest {
  readonly #options: RestOptions;
  #usedMs = performance.now();
  #afterMs: number | undefined;
  #isUnreadable = false;
  #inUse = 0;
  #isResting = false;
  /** A pause or a wake under way. */
  #turning: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  /** They wait until it runs, without waking it. */
  readonly #bystanders = new Set<() => void>();

  constructor(options: RestOptions) {
    this.#options = options;
    this.#look();
  }

  get isResting(): boolean {
    return this.#isResting;
  }

  /** Before anything is asked of the machine: resolves once it runs. */
  async use(): Promise<void> {
    this.#usedMs = performance.now();
    while (this.#turning !== undefined) await this.#turning;
    if (!this.#isResting || this.#isOver) return;
    await this.#turn(async () => {
      await this.#options.wake();
      this.#isResting = false;
      this.#letBystandersGo();
      this.#options.onChange(false);
    });
  }

  /** No use: resolves once somebody else's has woken the machine. */
  async awake(): Promise<void> {
    while (this.#isResting && !this.#isOver)
      await new Promise<void>((resolve) => this.#bystanders.add(resolve));
    if (this.#isResting) throw new Error('The machine was ended while it rested.');
  }

  /** The machine is in use for as long as the work takes. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#inUse += 1;
    try {
      await this.use();
      return await work();
    } finally {
      this.#inUse -= 1;
      this.#usedMs = performance.now();
    }
  }

  /** Bytes went over one of its channels: what waits in a resting machine's line wakes it, too. */
  touch(): void {
    this.#usedMs = performance.now();
    if (this.#isResting) this.use().catch((error) => this.#options.report(error));
  }

  /** Wakes a resting machine, which could not be stopped in good order otherwise. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.use().catch((error) => this.#options.report(error));
    this.giveUp();
  }

  /** One that is ended by force need not run for that, and may not even hear. */
  giveUp(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#letBystandersGo();
  }

  #letBystandersGo(): void {
    for (const go of this.#bystanders) go();
    this.#bystanders.clear();
  }

  #look(): void {
    if (this.#isOver) return;
    this.#readSettings();
    const leftMs = this.#leftMs();
    if (leftMs <= 0 && !this.#isResting && this.#turning === undefined) void this.#pauseIfIdle();
    // Looked at again before it is due, since the settings may change meanwhile.
    const nextMs = Math.min(lookMs, Math.max(leftMs, 50));
    this.#timer = setTimeout(() => this.#look(), nextMs);
    this.#timer.unref();
  }

  /** A person may be writing them just now: that is told once, and ends neither the looking nor the app. */
  #readSettings(): void {
    try {
      this.#afterMs = this.#options.afterMs();
      this.#isUnreadable = false;
    } catch (error) {
      if (!this.#isUnreadable) this.#options.report(error);
      this.#isUnreadable = true;
    }
  }

  #leftMs(): number {
    if (this.#afterMs === undefined || this.#inUse > 0) return Number.POSITIVE_INFINITY;
    return this.#usedMs + this.#afterMs - performance.now();
  }

  async #pauseIfIdle(): Promise<void> {
    const usedMs = this.#usedMs;
    const isStillIdle = () => this.#usedMs === usedMs && this.#inUse === 0 && !this.#isOver;
    await this.#turn(async () => {
      if (await this.#options.isBusy()) {
        this.#usedMs = performance.now();
        return;
      }
      if (!isStillIdle()) return;
      await this.#options.pause();
      this.#isResting = true;
      this.#options.onChange(true);
    }).catch((error) => {
      // Asked again after the whole time has passed once more.
      this.#usedMs = performance.now();
      this.#options.report(error);
    });
    // Somebody came while it was being paused.
    if (this.#isResting && !isStillIdle()) this.touch();
  }

  #turn(work: () => Promise<void>): Promise<void> {
    this.#turning = work().finally(() => {
      this.#turning = undefined;
    });
    return this.#turning;
  }
}

/** The same engine, every question of which wakes the machine. */
export function wakingEngine(engine: EngineClient, rest: Rest): EngineClient {
  return {
    request: (request) => rest.during(() => engine.request(request)),
    async *stream(request, signal) {
      // A stream may stay open for days: it is used while something comes.
      await rest.use();
      yield* engine.stream(request, signal);
    },
    close: () => engine.close(),
  };
}

/** The same engine for questions that are no use of the machine: one that rests is not asked. */
export function quietEngine(engine: EngineClient, rest: Rest): EngineClient {
  const refuseResting = () => {
    if (rest.isResting) throw new Error('The machine rests, and is not woken for this.');
  };
  return {
    async request(request) {
      refuseResting();
      return await engine.request(request);
    },
    async *stream(request, signal) {
      refuseResting();
      yield* engine.stream(request, signal);
    },
    close: () => engine.close(),
  };
}

/** The same connection, every channel of which wakes the machine: when it opens, and with each byte. */
export function wakingLink(link: SshLink, rest: Rest): SshLink {
  const woken =
    <A extends unknown[]>(open: (...args: A) => Promise<ClientChannel>) =>
    async (...args: A) => {
      await rest.use();
      return watched(await open(...args), rest);
    };
  return {
    ...link,
    openApiChannel: woken(() => link.openApiChannel()),
    openStreamLocal: woken((name: string) => link.openStreamLocal(name)),
    openTcp: woken((host: string, port: number) => link.openTcp(host, port)),
  };
}

/**
 * The same connection for what the app serves the machine with: its channels are no use. What the
 * machine asks through them it asks for a container, which is a use itself, or for somebody else's
 * question. Tries to open one wait while it rests.
 */
export function quietLink(link: SshLink, rest: Rest): ServiceLink {
  return {
    openStreamLocal: async (name) => {
      await rest.awake();
      return link.openStreamLocal(name);
    },
  };
}

/** For whoever comes with a connection of their own. */
export function wakingEndpoint(endpoint: SshEndpoint, rest: Rest): SshEndpoint {
  return {
    ...endpoint,
    dial: async () => {
      await rest.use();
      return endpoint.dial();
    },
  };
}

/** By the two methods that every byte passes: a listener for `data` would set the channel flowing. */
function watched(channel: ClientChannel, rest: Rest): ClientChannel {
  const { push, write } = channel;
  channel.push = (...args: Parameters<typeof push>) => {
    // Its end is none: the app lets go of channels that nothing is asked through.
    if (args[0] !== null) rest.touch();
    return push.apply(channel, args);
  };
  channel.write = ((...args: Parameters<typeof write>) => {
    rest.touch();
    return write.apply(channel, args);
  }) as typeof write;
  return channel;
}
