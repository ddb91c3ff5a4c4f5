/**
 * The unpack worker: a thread on which file calls may block. The main thread posts one {@link WorkerRequest} at a
 * time. A shared flag cancels, since terminating a thread would leave its descriptors open.
 */
import { constants, openSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { CortenError, type ErrorKind } from '../errors.ts';
import { AT_FDCWD, O_DIRECTORY, openat2, withFd } from '../kernel/files.ts';
import { removeTreeAt } from '../kernel/remove-tree.ts';
import { syncFilesystem } from '../kernel/sync-filesystem.ts';
import { type ArchivedLayer, type ArchiveRequest, archiveLayer } from './archive-layer.ts';
import { type UnpackRequest, unpackLayer } from './unpack-layer.ts';

export type WorkerJob =
  | ({ kind: 'unpack' } & UnpackRequest)
  | ({ kind: 'archive' } & ArchiveRequest)
  | { kind: 'remove'; parent: string; name: string }
  | { kind: 'sync'; path: string };

/** What a job resolves with: a layer's description, or bytes. */
export type JobValue<Job extends WorkerJob> = Job extends { kind: 'archive' }
  ? ArchivedLayer
  : number;

export interface WorkerRequest {
  job: WorkerJob;
  cancelled: SharedArrayBuffer;
}

export type WorkerReply =
  | { kind: 'progress'; bytes: number }
  | { kind: 'done'; value: number | ArchivedLayer }
  | { kind: 'failed'; errorKind: ErrorKind; message: string };

const progressIntervalMs = 100;

parentPort?.on('message', async ({ job, cancelled }: WorkerRequest) => {
  const reply = (message: WorkerReply) => parentPort?.postMessage(message);
  try {
    reply({ kind: 'done', value: await perform(job, new Int32Array(cancelled), reply) });
  } catch (error) {
    const errorKind = error instanceof CortenError ? error.kind : 'internal';
    reply({
      kind: 'failed',
      errorKind,
      message: error instanceof Error ? error.message : String(error),
    });
  }
});

async function perform(
  job: WorkerJob,
  cancelled: Int32Array,
  reply: (message: WorkerReply) => void,
): Promise<number | ArchivedLayer> {
  const isCancelled = () => Atomics.load(cancelled, 0) !== 0;
  switch (job.kind) {
    case 'unpack': {
      let last = 0;
      const progress = (bytes: number) => {
        const now = Date.now();
        if (now - last < progressIntervalMs) return;
        last = now;
        reply({ kind: 'progress', bytes });
      };
      return unpackLayer(job, progress, isCancelled);
    }
    case 'archive':
      return archiveLayer(job, isCancelled);
    case 'remove':
      withFd(openat2(AT_FDCWD, job.parent, constants.O_RDONLY | O_DIRECTORY, 0), (fd) =>
        removeTreeAt(fd, job.name),
      );
      return 0;
    case 'sync':
      withFd(openSync(job.path, 'r'), syncFilesystem);
      return 0;
  }
}
