/**
 * A build context as a tar archive that is made while it is sent. The memory that it takes does not depend on the folder:
 * an archive of 5 GB and one of 5 kB hold the same few pieces.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Header as FullHeader, type Pack, pack } from 'tar-stream';
import { type ContextEntry, walkContext } from './walk-context.ts';

export interface ContextArchiveOptions {
  folder: string;
  /** Inside the folder, with slashes. */
  dockerfile: string;
  /** What has been packed so far. */
  onProgress(files: number, bytes: number): void;
}

/** Its stream fails with the path of what cannot be read. */
export function contextArchive(options: ContextArchiveOptions): Readable {
  const archive = pack();
  fill(archive, options).then(
    () => archive.finalize(),
    (error: Error) => archive.destroy(error),
  );
  return Readable.from(archive, { objectMode: false });
}

/** Files up to this are read ahead of the archive, several at a time: a folder of small ones is read no slower. */
const smallBytes = 32 * 1024;
const readAhead = 32;

async function fill(
  archive: Pack,
  { folder, dockerfile, onProgress }: ContextArchiveOptions,
): Promise<void> {
  let [files, bytes] = [0, 0];
  for await (const batch of inBatches(walkContext(folder, dockerfile), readAhead)) {
    for (const entry of await Promise.all(batch.map((each) => readEntry(folder, each)))) {
      if (entry === undefined) continue;
      const { header, content } = entry;
      if (content === 'large') await packLarge(archive, header, join(folder, header.name));
      else await packSmall(archive, header, content);
      files += 1;
      bytes += header.size ?? 0;
      onProgress(files, bytes);
    }
  }
}

type Header = Pick<FullHeader, 'name' | 'mode' | 'mtime' | 'uid' | 'gid' | 'size'> &
  Partial<Pick<FullHeader, 'type' | 'linkname'>>;

interface ReadEntry {
  header: Header;
  content: Buffer | 'large';
}

/** Undefined for sockets and devices, which no build can use. */
async function readEntry(folder: string, { path }: ContextEntry): Promise<ReadEntry | undefined> {
  const full = join(folder, path);
  try {
    const stat = await lstat(full);
    const header = headerOf(path, stat);
    if (stat.isSymbolicLink())
      return {
        header: { ...header, type: 'symlink', linkname: slashes(await readlink(full)) },
        content: Buffer.alloc(0),
      };
    if (stat.isDirectory()) return { header: { ...header, type: 'directory' }, content: nothing };
    if (stat.isFIFO()) return { header: { ...header, type: 'fifo' }, content: nothing };
    if (!stat.isFile()) return undefined;
    if (stat.size > smallBytes) return { header: { ...header, size: stat.size }, content: 'large' };
    const file = await openPlain(full);
    try {
      const content = await file.readFile();
      return { header: { ...header, size: content.length }, content };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(full, error as NodeJS.ErrnoException);
  }
}

const nothing = Buffer.alloc(0);

/** As the docker CLI sends them: owned by root, whoever has them on this computer. */
function headerOf(path: string, stat: Stats): Header {
  // Windows knows no permission to execute.
  const mode = process.platform === 'win32' ? stat.mode | 0o755 : stat.mode;
  return { name: path, mode: mode & 0o7777, mtime: stat.mtime, uid: 0, gid: 0, size: 0 };
}

const slashes = (path: string): string =>
  process.platform === 'win32' ? path.replaceAll('\\', '/') : path;

/** A file that has become a link meanwhile is not followed. */
const openPlain = (path: string): Promise<FileHandle> =>
  open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));

function packSmall(archive: Pack, header: Header, content: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry(header, content, (error) => (error ? reject(error) : resolve()));
  });
}

async function packLarge(archive: Pack, header: Header, path: string): Promise<void> {
  const size = header.size ?? 0;
  const file = await openPlain(path).catch((error) => {
    throw unreadable(path, error);
  });
  const entry = archive.entry(header);
  const source = file.createReadStream({ end: size - 1, highWaterMark: 256 * 1024 });
  try {
    await pipeline(source, entry);
  } catch (error) {
    if (source.bytesRead < size && source.errored === null)
      throw new Error(`${path} became smaller while it was sent. Build again.`, { cause: error });
    throw source.errored === null ? error : unreadable(path, error as NodeJS.ErrnoException);
  }
}

function unreadable(path: string, error: NodeJS.ErrnoException): Error {
  const reason =
    error.code === 'EACCES' || error.code === 'EPERM' ? 'you may not read it' : error.message;
  return new Error(
    `${path} cannot be sent: ${reason}. Change that, or name it in .dockerignore if the build does not need it.`,
    { cause: error },
  );
}

async function* inBatches<T>(source: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const each of source) {
    batch.push(each);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
