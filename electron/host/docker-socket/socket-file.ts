/**
 * A unix socket at a path that other programs may use too. It appears at once with its final mode,
 * and replaces a stale socket, but never one that another program answers.
 */
import { chmodSync, linkSync, lstatSync, mkdirSync, renameSync, rmSync, type Stats } from 'node:fs';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';

/** A sockaddr_un has 108 bytes for the path with its zero byte (unix(7)); on macOS it has 104. */
const longestPathBytes = process.platform === 'darwin' ? 103 : 107;

/** More than node's 511, because connect(2) to a unix socket with a full backlog does not wait, but fails. */
const backlogConnections = 4096;

export class SocketTaken extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SocketTaken';
  }
}

/** Resolves with a function that removes the file, unless another program has replaced it. Throws SocketTaken. */
export async function listenAtPath(server: Server, path: string): Promise<() => void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // The socket is bound elsewhere first, since libuv on closing removes whatever lies at the bound path.
  const boundPath = join(dirname(path), `.${basename(path)}.${process.pid}`);
  if (Buffer.byteLength(boundPath) > longestPathBytes)
    throw new Error(`The path ${path} is too long for a socket: choose one of fewer characters.`);
  rmSync(boundPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: boundPath, backlog: backlogConnections }, resolve);
  });
  try {
    chmodSync(boundPath, 0o600);
    await claim(boundPath, path);
  } catch (error) {
    server.close();
    throw error;
  }
  const ours = lstatSync(path);
  rmSync(boundPath, { force: true });
  return () => {
    if (isSame(statOf(path), ours)) rmSync(path, { force: true });
  };
}

/** Uses link(2), which fails where a file exists, so that a file of another program is never overwritten. */
async function claim(boundPath: string, path: string): Promise<void> {
  for (;;) {
    try {
      linkSync(boundPath, path);
      return;
    } catch (error) {
      // Some file systems cannot link sockets; there a rename is used, which is not free of a race.
      if (cannotLink(error) && statOf(path) === undefined) return renameSync(boundPath, path);
      if (codeOf(error) !== 'EEXIST' && !cannotLink(error)) throw error;
    }
    const found = statOf(path);
    if (found === undefined) continue;
    if (!found.isSocket())
      throw new SocketTaken(
        `${path} is not a socket, and is left as it is. Move it away, or choose another path.`,
      );
    if (await isAnswered(path)) throw answered(path);
    await removeStale(path);
  }
}

/** Moves the file away before checking it again, because another program may have replaced it meanwhile. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.${process.pid}.old`;
  try {
    renameSync(path, aside);
  } catch (error) {
    // The file has vanished by itself, which is what we want.
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if (await isAnswered(aside)) {
    linkSync(aside, path);
    rmSync(aside);
    throw answered(path);
  }
  rmSync(aside);
}

/** Only ECONNREFUSED shows that nothing listens; a full backlog or a forbidden socket belongs to a program. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => resolve(!['ECONNREFUSED', 'ENOENT'].includes(codeOf(error))));
  });
}

function answered(path: string): SocketTaken {
  return new SocketTaken(
    `Another program answers at ${path}. Stop it (it may be a second Corten), or choose another path.`,
  );
}

function isSame(found: Stats | undefined, ours: Stats): boolean {
  return found?.ino === ours.ino && found.dev === ours.dev;
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

const cannotLink = (error: unknown) => ['EPERM', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error));

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}
