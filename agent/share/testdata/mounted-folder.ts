/**
 * A folder of this machine, shared and mounted at another place of it: the host's file server and the
 * agent's FUSE server in one process, over the socket that the agent has for it.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFolderThread } from '../../../electron/host/shared-folders/open-folder-thread.ts';
import { type Shares, startShares } from '../shares.ts';

export interface MountedFolder {
  directory: string;
  /** Where the files are. */
  host: string;
  /** Where the machine sees them: never to be touched by this process's own calls. */
  guest: string;
  shares: Shares;
  /** Failures that the agent reported. */
  failures: string[];
  connect(): Promise<void>;
  /** Breaks the connection, and waits until the agent knows. */
  cut(): Promise<void>;
  /** Another file server, which knows nothing of what the first had open. */
  restartHost(): Promise<void>;
  close(): Promise<void>;
}

export async function mountFolder(
  options: { wholeTree?: boolean; readOnly?: boolean; patienceMs?: number } = {},
): Promise<MountedFolder> {
  const directory = mkdtempSync(join(tmpdir(), 'corten-share-'));
  const [host, guest] = [join(directory, 'host'), join(directory, 'guest')];
  // Other users of the machine come to it too.
  chmodSync(directory, 0o755);
  if (tmpdir() !== '/tmp') chmodSync(tmpdir(), 0o711);
  mkdirSync(host);
  const failures: string[] = [];
  const socketPath = join(directory, 'share.sock');
  const shares = await startShares({
    socketPath,
    ownersDirectory: join(directory, 'owners'),
    keptDirectory: join(directory, 'kept'),
    programPath: join(import.meta.dirname, '../../../dist/shim/shim'),
    patienceMs: options.patienceMs,
    report: (what, error) => failures.push(`${what}: ${error}`),
  });
  const start = () => openFolderThread({ name: 'test', path: host, mountPath: guest, ...options });
  let server = await start();
  const heard = (...awaited: string[]) =>
    new Promise<void>((resolve) => {
      const stop = shares.onNews(({ event }) => {
        if (!awaited.includes(event)) return;
        stop();
        resolve();
      });
    });
  let socket: Socket | undefined;
  let served: Promise<void> = Promise.resolve();
  const folder: MountedFolder = {
    directory,
    host,
    guest,
    shares,
    failures,
    async connect() {
      const news = heard('mounted', 'back');
      socket = connect(socketPath);
      served = server.serve(socket);
      await Promise.race([news, served]);
    },
    async cut() {
      const lost = heard('lost');
      socket?.destroy();
      await lost;
    },
    async restartHost() {
      server.close();
      server = await start();
    },
    async close() {
      await shares.close('close');
      socket?.destroy();
      await served;
      server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await folder.connect();
  return folder;
}
