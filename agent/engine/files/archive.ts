/** `docker cp`: reads one path of a container as a tar archive, or extracts an archive into one. */
import { closeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PathStat } from '../../api/containers/backend.ts';
import { invalid } from '../../errors.ts';
import { compressionOf, decompressor, magicBytes } from '../../images/compression.ts';
import { TarReader } from '../../images/tar-reader.ts';
import { archiveTree } from '../../images/tree-archive.ts';
import { O_DIRECTORY, O_PATH, openInRoot } from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { ArchiveWriter, writeError } from './archive-writer.ts';
import type { ContainerFiles, ContainerRoot } from './container-files.ts';
import { baseOf, openPlace, pathError, statPlace } from './container-path.ts';
import { openForReading, openForWriting, withRoot } from './container-root.ts';

export async function statPath(root: ContainerRoot, path: string): Promise<PathStat> {
  const absolute = absolutePath(path);
  const stat = withRoot(openForReading(root, absolute), (opened) =>
    statPlace(opened.fd, opened.path),
  );
  return { ...stat, name: baseOf(absolute) };
}

export async function readArchive(
  root: ContainerRoot,
  path: string,
): Promise<{ stat: PathStat; archive: Readable }> {
  const absolute = absolutePath(path);
  return withRoot(openForReading(root, absolute), (opened) => {
    const stat = { ...statPlace(opened.fd, opened.path), name: baseOf(absolute) };
    const { parentFd, name } = openPlace(opened.fd, opened.path);
    const tree = archiveTree(parentFd, name, {
      name: Buffer.from(baseOf(absolute)),
      stayOnMount: false,
      ids: opened.ids,
    });
    return { stat, archive: streamOf(tree, parentFd) };
  });
}

export const writeArchive: ContainerFiles['writeArchive'] = async (
  root,
  path,
  archive,
  options,
) => {
  const opened = openForWriting(root, absolutePath(path));
  const writer = new ArchiveWriter({
    rootFd: opened.fd,
    directory: opened.path,
    noOverwriteDirectoryNonDirectory: options.noOverwriteDirectoryNonDirectory,
    owner: options.copyUidGid ? root.owner : undefined,
    ids: opened.ids,
  });
  try {
    requireDirectory(opened.fd, opened.path, path);
    await unpack(archive, writer);
  } catch (error) {
    throw writeError(path, error);
  } finally {
    writer.close();
    closeSync(opened.fd);
  }
};

/** A stream that closes its descriptor however it ends, even when nobody reads from it. */
export function streamOf(tree: Generator<Buffer>, fd: number): Readable {
  const stream = Readable.from(tree, { objectMode: false });
  stream.once('close', () => closeSync(fd));
  return stream;
}

async function unpack(archive: Readable, writer: ArchiveWriter): Promise<void> {
  const reader = new TarReader(writer);
  const consume = async (pieces: AsyncIterable<Buffer>) => {
    for await (const piece of pieces) reader.push(piece);
  };
  const pieces: AsyncIterator<Buffer> = archive[Symbol.asyncIterator]();
  const head = await headOf(pieces);
  const whole = Readable.from(joined(head, pieces), { objectMode: false });
  // This process itself decompresses; no program of the container or the host runs
  // (CVE-2019-14271).
  const opener = decompressor(compressionOf(head));
  if (opener === undefined) await pipeline(whole, consume);
  else await pipeline(whole, opener, consume);
  reader.end();
  writer.finish();
}

async function headOf(pieces: AsyncIterator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < magicBytes) {
    const next = await pieces.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

async function* joined(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

function requireDirectory(rootFd: number, inRoot: string, shown: string): void {
  try {
    closeSync(openInRoot(rootFd, inRoot, O_PATH | O_DIRECTORY));
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR'))
      throw invalid(`extraction point ${shown} is not a directory`, error);
    throw pathError(shown, error);
  }
}

/** Paths in requests start at the root, with or without the slash. */
function absolutePath(path: string): string {
  if (path === '') throw invalid('a path in the container is missing');
  return path.startsWith('/') ? path : `/${path}`;
}
