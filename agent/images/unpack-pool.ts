/** A pool of worker threads that unpack layers, started on demand and ended when idle. */
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { CortenError } from '../errors.ts';
import { returnFreeMemory } from '../kernel/free-memory.ts';
import type { JobValue, WorkerJob, WorkerReply, WorkerRequest } from './unpack-worker.ts';

/** An idle worker ends after this time to free its memory. */
const idleMs = 5_000;

type WorkerValue = JobValue<WorkerJob>;

interface Task {
  job: WorkerJob;
  signal: AbortSignal | undefined;
  progress: (bytes: number) => void;
  resolve: (value: WorkerValue) => void;
  reject: (error: unknown) => void;
}

export class UnpackPool {
  readonly #size: number;
  readonly #waiting: Task[] = [];
  readonly #idle: { worker: Worker; timer: NodeJS.Timeout }[] = [];
  #busy = 0;

  constructor(size = Math.min(4, availableParallelism())) {
    this.#size = size;
  }

  run<Job extends WorkerJob>(
    job: Job,
    signal?: AbortSignal,
    progress: (bytes: number) => void = () => {},
  ): Promise<JobValue<Job>> {
    const { promise, resolve, reject } = Promise.withResolvers<WorkerValue>();
    this.#waiting.push({ job, signal, progress, resolve, reject });
    this.#next();
    // The worker answers each kind of job with its kind of value.
    return promise as Promise<JobValue<Job>>;
  }

  /** Starts the first worker before the first download is complete. */
  warm(): void {
    if (this.#busy === 0 && this.#idle.length === 0) this.#rest(startWorker());
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#idle.splice(0).map(({ worker, timer }) => {
        clearTimeout(timer);
        return worker.terminate();
      }),
    );
  }

  #next(): void {
    if (this.#busy >= this.#size) return;
    const task = this.#waiting.shift();
    if (task === undefined) return;
    const rested = this.#idle.pop();
    clearTimeout(rested?.timer);
    const worker = rested?.worker ?? startWorker();
    this.#busy += 1;
    this.#perform(worker, task).finally(() => {
      this.#busy -= 1;
      this.#next();
    });
  }

  async #perform(worker: Worker, task: Task): Promise<void> {
    const cancelled = new SharedArrayBuffer(4);
    const abort = () => Atomics.store(new Int32Array(cancelled), 0, 1);
    if (task.signal?.aborted) abort();
    task.signal?.addEventListener('abort', abort);
    worker.ref();
    worker.postMessage({ job: task.job, cancelled } satisfies WorkerRequest);
    try {
      task.resolve(await replyOf(worker, task.progress));
      this.#rest(worker);
    } catch (error) {
      if (error instanceof WorkerDied) worker.terminate();
      else this.#rest(worker);
      task.reject(task.signal?.aborted ? task.signal.reason : error);
    } finally {
      task.signal?.removeEventListener('abort', abort);
    }
  }

  #rest(worker: Worker): void {
    const timer = setTimeout(() => {
      const index = this.#idle.findIndex((idle) => idle.worker === worker);
      if (index !== -1) this.#idle.splice(index, 1);
      worker.terminate().then(returnFreeMemory);
    }, idleMs);
    timer.unref();
    // An idle worker must not keep the process alive.
    worker.unref();
    this.#idle.push({ worker, timer });
  }
}

class WorkerDied extends Error {}

function startWorker(): Worker {
  // Node would warn about each closed descriptor that it did not open itself; here openat2 opens them.
  return new Worker(new URL(`./unpack-worker${extname(import.meta.filename)}`, import.meta.url), {
    trackUnmanagedFds: false,
  });
}

function replyOf(worker: Worker, progress: (bytes: number) => void): Promise<WorkerValue> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      worker.removeAllListeners('message');
      worker.removeAllListeners('error');
      worker.removeAllListeners('exit');
      settle();
    };
    worker.on('message', (reply: WorkerReply) => {
      if (reply.kind === 'progress') progress(reply.bytes);
      else if (reply.kind === 'done') finish(() => resolve(reply.value));
      else finish(() => reject(new CortenError(reply.errorKind, reply.message)));
    });
    const died = (cause: unknown) =>
      finish(() => reject(new WorkerDied('the thread that unpacks layers died', { cause })));
    worker.on('error', died);
    worker.on('exit', died);
  });
}
