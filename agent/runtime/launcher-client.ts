/** The main thread's side of the launcher. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { CortenError, type ErrorKind } from '../errors.ts';
import { failLatch, type Latch, newLatch, openLatch } from './latch.ts';
import type { LauncherFds, Prepared } from './prepare.ts';
import type { PrepareRequest } from './runtime.ts';
import { Sandbox } from './sandbox.ts';

/** Settings and descriptors that stay open as long as the launcher runs. */
export interface LauncherSettings extends LauncherFds {
  /**
   * The main thread's nice value. When many containers start at once both threads need each other,
   * so neither takes precedence.
   */
  nice: number;
  /**
   * Without root: the network namespace to return to. A process that left the host's own cannot
   * return there.
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

/** Either the sandbox and later that it is ready to run something, or one failure. */
export type Made = { value: Prepared } | { isReady: true } | Failure;

export type LauncherReply = { id: number } & Made;

/** What the main thread does while the launcher works. */
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

  /** Rejects with the launcher's error, or with the error of a callback. */
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
      // The launcher did not reach the latch, or needs no cgroups.
      made.promise.then(
        (prepared) => new Sandbox(prepared).close(),
        () => {},
      );
      throw error;
    }
  }

  /** The number of requests that the launcher has not finished. */
  get underWay(): number {
    return this.#waiting.size;
  }

  #send(request: LauncherRequest['request'], sources: Latch, groups: Latch): Waiter {
    const id = ++this.#lastId;
    const waiter: Waiter = { made: Promise.withResolvers(), ready: Promise.withResolvers() };
    // Nobody has to wait for this promise, and without the sandbox nobody can.
    waiter.ready.promise.catch(() => {});
    this.#waiting.set(id, waiter);
    this.#worker.ref();
    const message = { id, request: forLauncher(request), sources, groups };
    this.#worker.postMessage(message satisfies LauncherRequest);
    return waiter;
  }

  async close(): Promise<void> {
    this.#closed = true;
    // The launcher closes its pools and ends.
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
        // The main thread closes the descriptors, which outlive this thread.
        trackUnmanagedFds: false,
      },
    );
    worker.on('message', (reply: LauncherReply) => this.#receive(reply));
    let reason = 'it has ended';
    // An `exit` event always follows and starts the next thread.
    worker.on('error', (error) => {
      reason = String(error);
    });
    worker.on('exit', () => this.#replace(reason));
    // The thread alone does not keep the process running.
    worker.unref();
    return worker;
  }

  /** Requests under way fail together with the thread; the next one gets a new thread. */
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

/** Promises that are settled already keep their result. */
function refuse({ made, ready }: Waiter, error: Error): void {
  made.reject(error);
  ready.reject(error);
}

/**
 * Drops the parts that only the shim needs, because each string, such as 400 names in the seccomp
 * filter, would be copied.
 */
function forLauncher(request: LauncherRequest['request']): LauncherRequest['request'] {
  const { seccomp: _, maskedPaths: _m, readonlyPaths: _r, ...linux } = request.spec.linux;
  const { capabilities: _c, rlimits: _l, ...process } = request.spec.process;
  return { ...request, spec: { ...request.spec, process, linux } };
}
