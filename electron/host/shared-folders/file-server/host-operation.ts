/** What all answers to a machine are made with. */
import { type BigIntStats, fstatSync, lstatSync } from 'node:fs';
import type { FrameReader, FrameWriter } from '../../../../agent/contract/share-wire.ts';
import { LinuxError } from './errno.ts';
import type { FolderWatch } from './folder-watch.ts';
import type { SharedFolder } from './shared-folder.ts';
import { statRecord } from './stat-record.ts';

export interface OpenHandle {
  fd: number;
  /** Undefined once its name was taken away. */
  path: string | undefined;
}

export interface FolderState {
  readonly folder: SharedFolder;
  readonly isReadOnly: boolean;
  readonly handles: Map<number, OpenHandle>;
  readonly watch: FolderWatch;
}

/** Fills the answer now, or calls `later` with an error or what fills it. */
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

/** From the wire's bytes to what Node takes: the file's own stat is also what the machine knows now. */
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

/** Bits that this process's own umask takes away although somebody in a container set them. */
export const umask = process.umask();
