/** The main thread's end of the launcher. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { CortenError, type ErrorKind } from '../errors.ts';
import type { Prepared } from './prepare.ts';
import type { PrepareRequest } from './runtime.ts';

export interface LauncherRequest {
  id: number;
  request: PrepareRequest;
}

export type LauncherReply =
  | { ready: number }
  | { id: number; value: Prepared }
  | { id: number; failure: { kind: ErrorKind; message: string } };

type Waiter = { resolve(value: Prepared): void; reject(error: Error): void };

export class LauncherClient {
  /** A detached procfs of the host's pid namespace, for whoever needs one. */
  readonly procFd: number;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiter>();
  #lastId = 0;

  private constructor(worker: Worker, procFd: number) {
    this.#worker = worker;
    this.procFd = procFd;
    worker.on('message', (reply: LauncherReply) => this.#receive(reply));
    worker.on('error', (error) => this.#fail(String(error)));
    worker.on('exit', () => this.#fail('it has ended'));
  }

  static async start(): Promise<LauncherClient> {
    const worker = new Worker(new URL('./launcher.ts', import.meta.url), {
      name: 'launcher',
      // Descriptors outlive this thread's interest in them: the main thread closes them.
      trackUnmanagedFds: false,
    });
    const [first] = (await once(worker, 'message')) as [LauncherReply];
    if (!('ready' in first)) throw new Error('the launcher thread did not start');
    // An agent that has nothing else to do may end; the thread alone does not keep it.
    worker.unref();
    return new LauncherClient(worker, first.ready);
  }

  prepare(request: PrepareRequest): Promise<Prepared> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, request } satisfies LauncherRequest);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #receive(reply: LauncherReply): void {
    if ('ready' in reply) return;
    const waiter = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (waiter === undefined) return;
    if ('value' in reply) waiter.resolve(reply.value);
    else waiter.reject(new CortenError(reply.failure.kind, reply.failure.message));
  }

  #fail(reason: string): void {
    for (const waiter of this.#waiting.values())
      waiter.reject(new CortenError('internal', `the launcher thread failed: ${reason}`));
    this.#waiting.clear();
  }
}
