/**
 * Pauses a machine that nobody uses, and resumes it at the next use. While it is paused its virtual
 * CPUs stand still. A machine is idle when, for as long as its settings say, no request was sent to
 * its engine, no byte went over an open channel and no container ran in it. A running container
 * counts as use, because what it does cannot be seen from outside.
 */
import type { ClientChannel } from 'ssh2';
import type { EngineClient } from '../engine-client.ts';
import type { SshEndpoint } from '../ssh/endpoint.ts';
import type { ServiceLink, SshLink } from '../ssh/link.ts';

export interface IdlePauseOptions {
  /**
   * Idle time before the pause, from the settings; undefined where they say never. An error that it
   * throws is reported, and the value before it stays in force.
   */
  afterMs(): number | undefined;
  isBusy(): Promise<boolean>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  onChange(isPaused: boolean): void;
  report(error: unknown): void;
}

/** The settings and the power supply can change at any time, so they are read again this often. */
const pollMs = 5_000;

export class IdlePause {
  readonly #options: IdlePauseOptions;
  #usedMs = performance.now();
  #afterMs: number | undefined;
  #isUnreadable = false;
  #inUse = 0;
  #isPaused = false;
  /** The pause or resume that is under way. */
  #transition: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  /** Callers of `resumed`, who wait until the machine runs and do not resume it themselves. */
  readonly #waiting = new Set<() => void>();

  constructor(options: IdlePauseOptions) {
    this.#options = options;
    this.#poll();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Counts as a use, and resolves once the machine runs. */
  async use(): Promise<void> {
    this.#usedMs = performance.now();
    while (this.#transition !== undefined) await this.#transition;
    if (!this.#isPaused || this.#isOver) return;
    await this.#begin(async () => {
      await this.#options.resume();
      this.#isPaused = false;
      this.#releaseWaiting();
      this.#options.onChange(false);
    });
  }

  /** Resolves once the machine runs, without being a use. Throws when it is stopped instead. */
  async resumed(): Promise<void> {
    while (this.#isPaused && !this.#isOver)
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    if (this.#isPaused) throw new Error('The machine was stopped while it was paused.');
  }

  /** The machine counts as used for as long as the work takes. */
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

  /** Called for bytes on a channel. A paused machine is resumed, since it could not read them otherwise. */
  markUsed(): void {
    this.#usedMs = performance.now();
    if (this.#isPaused) this.use().catch((error) => this.#options.report(error));
  }

  /** Resumes a paused machine, which could not shut down by itself otherwise. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.use().catch((error) => this.#options.report(error));
    this.abandon();
  }

  /** For a forced stop: the machine is not resumed, since it may not be able to. */
  abandon(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#releaseWaiting();
  }

  #releaseWaiting(): void {
    for (const release of this.#waiting) release();
    this.#waiting.clear();
  }

  #poll(): void {
    if (this.#isOver) return;
    this.#readSettings();
    const leftMs = this.#leftMs();
    if (leftMs <= 0 && !this.#isPaused && this.#transition === undefined) void this.#pauseIfIdle();
    const nextMs = Math.min(pollMs, Math.max(leftMs, 50));
    this.#timer = setTimeout(() => this.#poll(), nextMs);
    this.#timer.unref();
  }

  /** The file may be half written when it is read, so an error is reported once and the next poll tries again. */
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
    await this.#begin(async () => {
      if (await this.#options.isBusy()) {
        this.#usedMs = performance.now();
        return;
      }
      if (!isStillIdle()) return;
      await this.#options.pause();
      this.#isPaused = true;
      this.#options.onChange(true);
    }).catch((error) => {
      // The next try comes after the whole idle time, so that a pause that always fails is rare.
      this.#usedMs = performance.now();
      this.#options.report(error);
    });
    // A use that came during the pause found `#isPaused` still false, and resumed nothing.
    if (this.#isPaused && !isStillIdle()) this.markUsed();
  }

  #begin(work: () => Promise<void>): Promise<void> {
    this.#transition = work().finally(() => {
      this.#transition = undefined;
    });
    return this.#transition;
  }
}

/** The same engine; each request resumes the machine. */
export function resumingEngine(engine: EngineClient, idlePause: IdlePause): EngineClient {
  return {
    request: (request) => idlePause.during(() => engine.request(request)),
    async *stream(request, signal) {
      // A stream may stay open for days, so only its bytes count as use (`resumingLink`).
      await idlePause.use();
      yield* engine.stream(request, signal);
    },
    async *upload(request, body, signal) {
      // A build may run for long without a word, so the machine is in use until it has ended.
      const ended = Promise.withResolvers<void>();
      const use = idlePause.during(() => ended.promise);
      try {
        await idlePause.use();
        yield* engine.upload(request, body, signal);
      } finally {
        ended.resolve();
        await use;
      }
    },
    close: () => engine.close(),
  };
}

/** The same engine for requests that are no use of the machine: they fail while it is paused. */
export function backgroundEngine(engine: EngineClient, idlePause: IdlePause): EngineClient {
  const refuseWhilePaused = () => {
    if (idlePause.isPaused)
      throw new Error('The machine is paused, and is not resumed for a background request.');
  };
  return {
    async request(request) {
      refuseWhilePaused();
      return await engine.request(request);
    },
    async *stream(request, signal) {
      refuseWhilePaused();
      yield* engine.stream(request, signal);
    },
    async *upload(request, body, signal) {
      refuseWhilePaused();
      yield* engine.upload(request, body, signal);
    },
    close: () => engine.close(),
  };
}

/** The same connection; opening a channel resumes the machine, and so does each byte on it. */
export function resumingLink(link: SshLink, idlePause: IdlePause): SshLink {
  const resuming =
    <A extends unknown[]>(open: (...args: A) => Promise<ClientChannel>) =>
    async (...args: A) => {
      await idlePause.use();
      return markingUse(await open(...args), idlePause);
    };
  return {
    ...link,
    openApiChannel: resuming(() => link.openApiChannel()),
    openStreamLocal: resuming((name: string) => link.openStreamLocal(name)),
    openTcp: resuming((host: string, port: number) => link.openTcp(host, port)),
  };
}

/**
 * The same connection for services that the app offers to the machine, such as DNS: their bytes are
 * no use, because the machine asks only for a container, which is a use itself, or for another
 * client's request. Opening a channel waits while the machine is paused.
 */
export function backgroundLink(link: SshLink, idlePause: IdlePause): ServiceLink {
  return {
    openStreamLocal: async (name) => {
      await idlePause.resumed();
      return link.openStreamLocal(name);
    },
  };
}

/** The same endpoint for callers that make an SSH connection of their own, such as a terminal. */
export function resumingEndpoint(endpoint: SshEndpoint, idlePause: IdlePause): SshEndpoint {
  return {
    ...endpoint,
    dial: async () => {
      await idlePause.use();
      return endpoint.dial();
    },
  };
}

/** Every byte passes `push` or `write`. A listener for `data` would start the channel's flow (stream.Readable). */
function markingUse(channel: ClientChannel, idlePause: IdlePause): ClientChannel {
  const { push, write } = channel;
  channel.push = (...args: Parameters<typeof push>) => {
    // null is the end of the channel, which is no use: the app closes idle channels by itself.
    if (args[0] !== null) idlePause.markUsed();
    return push.apply(channel, args);
  };
  channel.write = ((...args: Parameters<typeof write>) => {
    idlePause.markUsed();
    return write.apply(channel, args);
  }) as typeof write;
  return channel;
}
