/** The worker thread of one shared folder's file server, whose file calls may block on a disk. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { createFolderServer, type FolderServerOptions } from './file-server/folder-server.ts';
import { PortStream } from './message-port-stream.ts';

export type FolderThreadOrder =
  | { connection: number; port: MessagePort }
  | { isHeld: boolean }
  | 'close';

/** `problem` tells why the machine or the folder failed. */
export type FolderThreadNews =
  | { event: 'open' }
  | { event: 'failed'; problem: string }
  | { event: 'mounted' | 'ended'; connection: number; problem?: string };

const main = parentPort!;
const tell = (news: FolderThreadNews) => main.postMessage(news);

try {
  const server = createFolderServer(workerData as FolderServerOptions);
  main.on('message', (order: FolderThreadOrder) => {
    if (order === 'close') {
      server.close();
      main.close();
      return;
    }
    if ('isHeld' in order) {
      server.hold(order.isHeld);
      return;
    }
    const { connection, port } = order;
    server
      .serve(new PortStream(port), () => tell({ event: 'mounted', connection }))
      .then(
        () => tell({ event: 'ended', connection }),
        (error: Error) => tell({ event: 'ended', connection, problem: error.message }),
      );
  });
  tell({ event: 'open' });
} catch (error) {
  tell({ event: 'failed', problem: (error as Error).message });
}
