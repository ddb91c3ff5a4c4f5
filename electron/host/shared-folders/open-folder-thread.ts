/** Runs a folder's file server in a thread of its own, so that a slow disk delays only that folder. */
import { extname } from 'node:path';
import type { Duplex } from 'node:stream';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { FolderServer, FolderServerOptions } from './file-server/folder-server.ts';
import type { FolderThreadNews, FolderThreadOrder } from './folder-thread.ts';
import { PortStream } from './message-port-stream.ts';

export interface FolderThread extends FolderServer {
  /** False once the thread has ended; a new one is then needed. */
  readonly isAlive: boolean;
}

interface Connection {
  onMounted: (() => void) | undefined;
  end(problem?: string): void;
}

const hasEnded = "The folder's file server has ended.";

/** Rejects when the folder cannot be opened. */
export async function openFolderThread(options: FolderServerOptions): Promise<FolderThread> {
  const file = `./folder-thread${extname(import.meta.filename)}`;
  const worker = new Worker(new URL(file, import.meta.url), {
    name: 'folder',
    workerData: options,
    // node's warnings about TypeScript were printed by the main thread already.
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  worker.unref();
  const connections = new Map<number, Connection>();
  const opened = Promise.withResolvers<void>();
  let last = 0;
  let isAlive = true;

  worker.on('message', (news: FolderThreadNews) => {
    if (news.event === 'open') opened.resolve();
    else if (news.event === 'failed') opened.reject(new Error(news.problem));
    else if (news.event === 'mounted') connections.get(news.connection)?.onMounted?.();
    else connections.get(news.connection)?.end(news.problem);
  });
  let isClosed = false;
  const lost = (problem: string) => {
    isAlive = false;
    opened.reject(new Error(problem));
    // Whoever closed it expects the error.
    if (isClosed) for (const connection of connections.values()) connection.end();
    for (const connection of connections.values()) connection.end(problem);
  };
  worker.once('error', (error) => lost(`The folder's file server failed: ${error}.`));
  worker.once('exit', () => lost(hasEnded));

  const order = (what: FolderThreadOrder) =>
    worker.postMessage(what, typeof what === 'object' && 'port' in what ? [what.port] : []);
  await opened.promise;
  return {
    get isAlive() {
      return isAlive;
    },
    async serve(channel, onMounted) {
      const connection = ++last;
      const { port1, port2 } = new MessageChannel();
      const stream = join(channel, new PortStream(port1));
      try {
        await new Promise<void>((resolve, reject) => {
          const end = (problem?: string) =>
            problem === undefined ? resolve() : reject(new Error(problem));
          connections.set(connection, { onMounted, end });
          // The thread may have ended while its caller waited for the channel; messages to it would be lost.
          if (isAlive) order({ connection, port: port2 });
          else end(hasEnded);
        });
      } finally {
        connections.delete(connection);
        stream.destroy();
        channel.destroy();
      }
    },
    hold: (isHeld) => order({ isHeld }),
    close() {
      isClosed = true;
      order('close');
    },
  };
}

/** When one of the two streams ends, the other one is destroyed. */
function join(channel: Duplex, stream: PortStream): PortStream {
  channel.pipe(stream).pipe(channel);
  channel.on('error', () => {});
  channel.once('close', () => stream.destroy());
  stream.once('close', () => channel.destroy());
  return stream;
}
