/**
 * Host folders of this machine for the rest of the agent. The host opens a channel to the socket for each folder and
 * names its mount point; two threads do the rest.
 */
import { closeSync, mkdirSync, writeSync } from 'node:fs';
import { extname } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { makePipe } from '../kernel/pipe.ts';
import type { ReplayThreadSettings } from './replay-thread.ts';
import type { ShareNews, ShareOrder, ShareThreadSettings } from './share-thread.ts';

export interface SharesOptions {
  /** Path of the socket for the host, created with mode 0600. */
  socketPath: string;
  /** Directory for the owners of files that chown(2) changed. */
  ownersDirectory: string;
  /** Directory for what the next agent needs; it ends with the machine. */
  keptDirectory: string;
  /** The shim's program. */
  programPath: string;
  /** How long callers wait for a host that is away before they get EIO. */
  patienceMs?: number;
  /** False simulates a kernel that cannot repeat unanswered requests (before Linux 6.9). */
  resendsRequests?: boolean;
  report(what: string, error: unknown): void;
}

export interface Shares {
  /** Mount points of all mounted folders. */
  mountPaths(): string[];
  /** Mounted folder that contains a path. */
  mountOf(path: string): string | undefined;
  onNews(listener: (news: ShareNews) => void): () => void;
  /** Unmounts all folders, or leaves them to the next agent. */
  close(order: ShareOrder): Promise<void>;
}

export async function startShares(options: SharesOptions): Promise<Shares> {
  mkdirSync(options.ownersDirectory, { recursive: true, mode: 0o700 });
  const wake = makePipe();
  const { port1, port2 } = new MessageChannel();
  const replayer = startThread(
    'replay-thread',
    { port: port2, wakeFd: wake.writeFd } satisfies ReplayThreadSettings,
    [port2],
  );
  const server = startThread(
    'share-thread',
    {
      socketPath: options.socketPath,
      ownersDirectory: options.ownersDirectory,
      keptDirectory: options.keptDirectory,
      programPath: options.programPath,
      wakeFd: wake.readFd,
      replayPort: port1,
      mainThreadId: process.pid,
      patienceMs: options.patienceMs ?? 30_000,
      mayAskAgain: options.resendsRequests ?? true,
    } satisfies ShareThreadSettings,
    [port1],
  );
  const mounted = new Map<string, string>();
  const listeners = new Set<(news: ShareNews) => void>();
  server.on('message', (news: ShareNews) => {
    if (news.event === 'mounted') mounted.set(news.share, news.mountPath);
    else if (news.event === 'unmounted') mounted.delete(news.share);
    else if (news.event === 'failed') options.report(news.what, news.message);
    for (const listener of listeners) listener(news);
  });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  for (const [name, thread] of Object.entries({ server, replayer }))
    thread.on('error', (error) => options.report(`shared folders (${name})`, error));
  await new Promise<void>((resolve, reject) => {
    listeners.add(function untilReady({ event }) {
      if (event === 'ready' && listeners.delete(untilReady)) resolve();
    });
    server.once('error', reject);
  });
  return {
    mountPaths: () => [...mounted.values()],
    mountOf: (path) =>
      [...mounted.values()].find((mount) => path === mount || path.startsWith(`${mount}/`)),
    onNews(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close(order) {
      server.postMessage(order);
      writeSync(wake.writeFd, '.');
      await ended;
      await replayer.terminate();
      closeSync(wake.readFd);
      closeSync(wake.writeFd);
    },
  };
}

function startThread(name: string, data: object, transferList: readonly MessagePort[]): Worker {
  const worker = new Worker(new URL(`./${name}${extname(import.meta.filename)}`, import.meta.url), {
    name,
    workerData: data,
    transferList: [...transferList] as never,
    trackUnmanagedFds: false,
  });
  worker.unref();
  return worker;
}
