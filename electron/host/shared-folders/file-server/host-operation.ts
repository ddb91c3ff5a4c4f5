/** Everything that the operations of a folder share. */
import { type BigIntStats, fstatSync, lstatSync } from 'node:fs';
import type { FrameReader, FrameWriter } from '../../../../agent/contract/share-wire.ts';
import { LinuxError } from './errno.ts';
import type { FolderWatch } from './folder-watch.ts';
import type { SharedFolder } from './shared-folder.ts';
import { statRecord } from './stat-record.ts';

export interface OpenHandle {
  fd: number;
  /** Undefined after the name was removed. */
  path: string | undefined;
}

export interface FolderState {
  readonly folder: SharedFolder;
  readonly isReadOnly: boolean;
  readonly handles: Map<number, OpenHandle>;
  readonly watch: FolderWatch;
}

/** Writes the reply now, or calls `later` with an error or a function that writes it. */
export type Later = (error: Error | null, fill?: (reply: FrameWriter) => void) => void;
export type HostOperation = (
  state: FolderState,
  request: FrameReader,
  reply: FrameWriter,
  later: Later,
) => 'now' | 'later';

export const now =
  (work: (state: FolderState, request: FrameReader, reply: FrameWriter) => void): HostOperation =>
  (state, request, reply) => {
    work(state, request, reply);
    return 'now';
  };

/** Writes the file's attributes into the reply, and records that the machine knows them. */
export function putStat(
  state: FolderState,
  path: string,
  stats: BigIntStats,
  reply: FrameWriter,
): void {
  const isWatched = state.watch.isKnown(path, stats);
  reply.raw(statRecord(stats, state.folder.device, isWatched));
}

export const lstat = (place: Buffer) => lstatSync(place, { bigint: true });
export const fstat = (fd: number) => fstatSync(fd, { bigint: true });

export function handleOf(state: FolderState, number: number): OpenHandle {
  const handle = state.handles.get(number);
  if (handle === undefined) throw new LinuxError('EBADF');
  return handle;
}

export const codeOf = (error: unknown) => String((error as NodeJS.ErrnoException).code);

/** The mode bits that this process's umask (umask(2)) removed although the container had set them. */
export const umask = process.umask();
