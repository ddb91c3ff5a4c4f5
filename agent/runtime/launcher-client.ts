/** The main thread's end of the launcher. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { CortenError, type ErrorKind } from '../errors.ts';
import { failLatch, type Latch, newLatch, openLatch } from './latch.ts';
import type { LauncherFds, Prepared } from './prepare.ts';
import type { PrepareRequest } from './runtime.ts';
import { Sandbox } from './sandbox.ts';

/** Open as long as the launcher runs: a procfs that is mounted nowhere, and the shim's program. */
export interface LauncherSettings extends LauncherFds {
  /** The main thread's: when many start at once each waits for the other, so neither comes first. */
  nice: number;
  /**
   * Without root: the network namespace to come home to from a container's. Who has left the machine's own
   * cannot come back.
   */
  networkFd?: number;
}

export interface LauncherRequest {
  id: number;
  request: Omit<PrepareRequest, keyof MadeMeanwhile>;
  sources: Latch;
  groups: Latch;
}

export interface Failure {
  failure: { kind: ErrorKind; message: string };
}

/** First the sandbox, and then, when something may run in it, that it is ready; or one failure. */
export type Made = { value: Prepared } | { isReady: true } | Failure;

export type LauncherReply = { id: number } & Made;

/** What the main thread does while the launcher is at work. */
export interface MadeMeanwhile {
  makeSources: (() => void) | undefined;
  makeGroups: (() => void) | undefined;
  meanwhile: () => void;
}

interface Waiter {
  made: PromiseWithResolvers<Prepared>;
  ready: PromiseWithResolvers<void>;
}

export class LauncherClient {
  readonly #settings: LauncherSettings;
  readonly #waiting = new Map<number, Waiter>();
  #worker: Worker;
  #lastId = 0;
  #closed = false;

  constructor(settings: LauncherSettings) {
    this.#settings = settings;
    this.#worker = this.#startWorker();
  }

  /** What is made meanwhile, and throws, is thrown here. */
  async prepare(
    request: LauncherRequest['request'],
    { makeSources, makeGroups, meanwhile }: MadeMeanwhile,
  ): Promise<Sandbox> {
    const [sources, groups] = [newLatch(), newLatch()];
    const { made, ready } = this.#send(request, sources, groups);
    try {
      makeSources?.();
      openLatch(sources);
      makeGroups?.();
      openLatch(groups);
      meanwhile();
      return new Sandbox(await made.promise, ready.promise);
    } catch (error) {
      failLatch(sources);
      failLatch(groups);
      // The launcher did not come to the latch, or needs no groups.
      made.promise.then(
        (prepared) => new Sandbox(prepared).close(),
        () => {},
      );
      throw error;
    }
  }

  /** How many it works on or has yet to begin. */
  get underWay(): number {
    return this.#waiting.size;
  }

  #send(request: LauncherRequest['request'], sources: Latch, groups: Latch): Waiter {
    const id = ++this.#lastId;
    const waiter: Waiter = { made: Promise.withResolvers(), ready: Promise.withResolvers() };
    // Nobody need ask; without the sandbox nobody can.
    waiter.ready.promise.catch(() => {});
    this.#waiting.set(id, waiter);
    this.#worker.ref();
    const message = { id, request: forLauncher(request), sources, groups };
    this.#worker.postMessage(message satisfies LauncherRequest);
    return waiter;
  }

  async close(): Promise<void> {
    this.#closed = true;
    // It closes what it has in store for the next container, and ends.
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.ref();
    this.#worker.postMessage('close');
    await ended;
  }

  #startWorker(): Worker {
    const worker = new Worker(
      new URL(`./launcher${extname(import.meta.filename)}`, import.meta.url),
      {
        name: 'launcher',
        workerData: this.#settings,
        // Descriptors outlive this thread's interest in them: the main thread closes them.
        trackUnmanagedFds: false,
      },
    );
    worker.on('message', (reply: LauncherReply) => this.#receive(reply));
    let reason = 'it has ended';
    // Always followed by `exit`: who hears of it finds the next one there.
    worker.on('error', (error) => {
      reason = String(error);
    });
    worker.on('exit', () => this.#replace(reason));
    // An agent that has nothing else to do may end; the thread alone does not keep it.
    worker.unref();
    return worker;
  }

  /** What was under way is lost with the thread; the next container gets a new one. */
  #replace(reason: string): void {
    if (!this.#closed) this.#worker = this.#startWorker();
    this.#fail(reason);
  }

  #receive(reply: LauncherReply): void {
    const waiter = this.#waiting.get(reply.id);
    if ('value' in reply) {
      waiter?.made.resolve(reply.value);
      return;
    }
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (waiter === undefined) return;
    if ('isReady' in reply) waiter.ready.resolve();
    else refuse(waiter, new CortenError(reply.failure.kind, reply.failure.message));
  }

  #fail(reason: string): void {
    for (const waiter of this.#waiting.values())
      refuse(waiter, new CortenError('internal', `the launcher thread failed: ${reason}`));
    this.#waiting.clear();
  }
}

/** What was answered already stays so. */
function refuse({ made, ready }: Waiter, error: Error): void {
  made.reject(error);
  ready.reject(error);
}

/** Without what is the shim's alone, such as the filter's 400 names: each string is copied. */
function forLauncher(request: LauncherRequest['request']): LauncherRequest['request'] {
  const { seccomp: _, maskedPaths: _m, readonlyPaths: _r, ...linux } = request.spec.linux;
  const { capabilities: _c, rlimits: _l, ...process } = request.spec.process;
  return { ...request, spec: { ...request.spec, process, linux } };
}
