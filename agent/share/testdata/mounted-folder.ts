/**
 * A folder of this machine, shared and mounted at another place of it: the host's file server and the
 * agent's FUSE server in one process, over the socket that the agent has for it.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createFolderServer,
  type FolderServer,
} from '../../../electron/host/share/folder-server.ts';
import { type Shares, startShares } from '../shares.ts';

export interface MountedFolder {
  directory: string;
  /** Where the files are. */
  host: string;
  /** Where the machine sees them: never to be touched by this process's own calls. */
  guest: string;
  shares: Shares;
  server: FolderServer;
  /** Failures that the agent reported. */
  failures: string[];
  connect(): Promise<void>;
  /** Breaks the connection. */
  cut(): void;
  close(): Promise<void>;
}

export async function mountFolder(
  options: { wholeTree?: boolean; readOnly?: boolean } = {},
): Promise<MountedFolder> {
  const directory = mkdtempSync(join(tmpdir(), 'corten-share-'));
  const [host, guest] = [join(directory, 'host'), join(directory, 'guest')];
  // Other users of the machine come to it too.
  chmodSync(directory, 0o755);
  mkdirSync(host);
  const failures: string[] = [];
  const socketPath = join(directory, 'share.sock');
  const shares = await startShares({
    socketPath,
    ownersDirectory: join(directory, 'owners'),
    report: (what, error) => failures.push(`${what}: ${error}`),
  });
  const server = createFolderServer({ name: 'test', path: host, mountPath: guest, ...options });
  let socket: Socket | undefined;
  let served: Promise<void> = Promise.resolve();
  const folder: MountedFolder = {
    directory,
    host,
    guest,
    shares,
    server,
    failures,
    async connect() {
      const news = new Promise<void>((resolve) => {
        const stop = shares.onNews(({ event }) => {
          if (event !== 'mounted' && event !== 'back') return;
          stop();
          resolve();
        });
      });
      socket = connect(socketPath);
      served = server.serve(socket);
      await Promise.race([news, served]);
    },
    cut: () => socket?.destroy(),
    async close() {
      await shares.close();
      socket?.destroy();
      await served;
      server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await folder.connect();
  return folder;
}
