/**
 * A unix socket at a path that other programs may use too: it appears at once and with its mode, it
 * takes the place of one that nobody answers, and never that of one that somebody does.
 */
import { chmodSync, linkSync, lstatSync, mkdirSync, renameSync, rmSync, type Stats } from 'node:fs';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';

/** sockaddr_un's path, with its zero byte (unix(7)); macOS has 104. */
const longestPathBytes = process.platform === 'darwin' ? 103 : 107;

/** Beyond node's 511: connect(2) to a unix socket does not wait for room, it fails. */
const backlogConnections = 4096;

export class SocketTaken extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SocketTaken';
  }
}

/** Resolves with what gives the path back: a file there that is not ours any more is left alone. */
export async function listenAtPath(server: Server, path: string): Promise<() => void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Not at the path itself: closing, libuv removes whatever lies at the path that it was given.
  const birthPlace = join(dirname(path), `.${basename(path)}.${process.pid}`);
  if (Buffer.byteLength(birthPlace) > longestPathBytes)
    throw new Error(`The path ${path} is too long for a socket: choose one of fewer characters.`);
  rmSync(birthPlace, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: birthPlace, backlog: backlogConnections }, resolve);
  });
  try {
    chmodSync(birthPlace, 0o600);
    await claim(birthPlace, path);
  } catch (error) {
    server.close();
    throw error;
  }
  const ours = lstatSync(path);
  rmSync(birthPlace, { force: true });
  return () => {
    if (isSame(statOf(path), ours)) rmSync(path, { force: true });
  };
}

/** link(2) fails where something lies, so no moment lets us overwrite what another program made. */
async function claim(birthPlace: string, path: string): Promise<void> {
  for (;;) {
    try {
      linkSync(birthPlace, path);
      return;
    } catch (error) {
      // Where sockets cannot be linked, a rename is the next best.
      if (cannotLink(error) && statOf(path) === undefined) return renameSync(birthPlace, path);
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

/** Moved away first: another program may have put its own there since we looked. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.${process.pid}.old`;
  try {
    renameSync(path, aside);
  } catch (error) {
    // Gone by itself, which is as good.
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

/** Only a refusal shows that nobody listens: a full backlog or a forbidden socket is somebody's. */
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
