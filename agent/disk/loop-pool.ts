/**
 * File systems that are made, bound and mounted before anybody asks, since the disk has to be read and
 * written for that: a container that takes one starts without waiting for the disk. Only forms that
 * were asked for get ready, and only descriptors of this process hold them.
 */
import { close, rmSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ImageForm } from './loop-image.ts';
import type { PoolReply, PoolRequest } from './loop-pool-worker.ts';

export interface PooledImage {
  image: string;
  loopNumber: number;
  /** A detached mount. */
  mountFd: number;
}

/** How many of a form: what some starts at once take. */
const imagesPerForm = 3;
/** A spare takes a loop device and some 300 KiB of the kernel's memory. */
const mostForms = 2;

export interface LoopPoolOptions {
  directory: string;
  /** Told of a spare that could not be made: a start makes its own then, and fails by itself. */
  report: (error: unknown) => void;
}

interface FormSpares {
  form: ImageForm;
  ready: PooledImage[];
}

export class LoopPool {
  readonly #options: LoopPoolOptions;
  /** The form that was asked for last is last. */
  readonly #forms = new Map<string, FormSpares>();
  /** Made by the thread just now; one at a time, so that it takes little from what containers do. */
  #pending: { image: string; entry: FormSpares } | undefined;
  /** Started when the first spare is wanted. */
  #worker: Worker | undefined;
  #last = 0;
  #closed = false;

  constructor(options: LoopPoolOptions) {
    this.#options = options;
  }

  take(form: ImageForm): PooledImage | undefined {
    return this.#forms.get(form.key)?.ready.shift();
  }

  /** Sees to it that there will be ready of a form. */
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
    // What it is at is taken back when it answers.
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
    // The descriptors that it opens outlive its interest in them: they are closed here.
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

  /** Not again before it is asked for again. */
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

/** Lets go of a mount; the thread pool waits for the disk if that unmounts it. */
export function releaseMount(mountFd: number): void {
  close(mountFd, () => {});
}
