/**
 * A pool of file systems that are created, bound and mounted in advance, which reads and writes the disk: a container
 * that takes one starts without waiting for it. The pool has only requested forms, and only descriptors of this
 * process hold them.
 */
import { close, rmSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ImageForm } from './loop-image.ts';
import type { PoolReply, PoolRequest } from './loop-pool-worker.ts';

export interface PooledImage {
  image: string;
  loopNumber: number;
  /** Descriptor of the detached mount. */
  mountFd: number;
}

/** Images of each form, enough for a few starts at once. */
const imagesPerForm = 3;
/** Forms in the pool. An image takes a loop device and some 300 KiB of the kernel's memory. */
const mostForms = 2;

export interface LoopPoolOptions {
  directory: string;
  /** Gets errors of preparing an image; a start then creates its own and throws its own error. */
  report: (error: unknown) => void;
}

interface FormSpares {
  form: ImageForm;
  ready: PooledImage[];
}

export class LoopPool {
  readonly #options: LoopPoolOptions;
  /** Forms, the most recently requested one last. */
  readonly #forms = new Map<string, FormSpares>();
  /** The image that the thread prepares; one at a time, so that containers are not slowed down. */
  #pending: { image: string; entry: FormSpares } | undefined;
  /** The worker, which is started for the first image. */
  #worker: Worker | undefined;
  #last = 0;
  #closed = false;

  constructor(options: LoopPoolOptions) {
    this.#options = options;
  }

  take(form: ImageForm): PooledImage | undefined {
    return this.#forms.get(form.key)?.ready.shift();
  }

  /** Requests images of a form for later. */
  want(form: ImageForm): void {
    const entry = this.#forms.get(form.key) ?? { form, ready: [] };
    this.#forms.delete(form.key);
    this.#forms.set(form.key, entry);
    for (const oldest of this.#forms.values()) {
      if (this.#forms.size <= mostForms) break;
      this.#drop(oldest);
    }
    this.#makeNext();
  }

  close(): void {
    this.#closed = true;
    for (const entry of [...this.#forms.values()]) this.#drop(entry);
    // A pending image is removed when the reply comes.
    if (this.#pending === undefined) this.#worker?.terminate();
  }

  #makeNext(): void {
    if (this.#pending !== undefined || this.#closed) return;
    const entry = [...this.#forms.values()]
      .reverse()
      .find(({ ready }) => ready.length < imagesPerForm);
    if (entry === undefined) return;
    const image = join(this.#options.directory, `spare-${++this.#last}.ext4`);
    try {
      entry.form.write(image);
    } catch (error) {
      this.#giveUp(entry, error);
      return;
    }
    this.#pending = { image, entry };
    this.#worker ??= this.#startWorker();
    this.#worker.postMessage({ image } satisfies PoolRequest);
  }

  #receive(reply: PoolReply): void {
    const { entry } = this.#pending!;
    this.#pending = undefined;
    if ('failure' in reply) {
      rmSync(reply.image, { force: true });
      this.#giveUp(entry, reply.failure);
    } else if (this.#closed || this.#forms.get(entry.form.key) !== entry) discard(reply);
    else entry.ready.push(reply);
    if (this.#closed) this.#worker?.terminate();
    this.#makeNext();
  }

  #startWorker(): Worker {
    const file = new URL(`./loop-pool-worker${extname(import.meta.filename)}`, import.meta.url);
    // The descriptors that the worker opens outlive it and are closed here.
    const worker = new Worker(file, { name: 'disk', trackUnmanagedFds: false });
    worker.on('message', (reply: PoolReply) => this.#receive(reply));
    worker.on('error', (error) => this.#options.report(error));
    worker.on('exit', () => {
      this.#worker = undefined;
      this.#pending = undefined;
    });
    worker.unref();
    return worker;
  }

  /** Gives up preparing a form until it is requested again. */
  #giveUp(entry: FormSpares, error: unknown): void {
    this.#drop(entry);
    this.#options.report(error);
  }

  #drop(entry: FormSpares): void {
    this.#forms.delete(entry.form.key);
    for (const spare of entry.ready.splice(0)) discard(spare);
  }
}

function discard({ image, mountFd }: PooledImage): void {
  rmSync(image, { force: true });
  releaseMount(mountFd);
}

/** Closes a mount on a thread of the pool, because the close may unmount, which waits for the disk. */
export function releaseMount(mountFd: number): void {
  close(mountFd, () => {});
}
