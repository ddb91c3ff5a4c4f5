/** What an exporter tells: one vertex, and a status for each of its parts. */
import { createHash, randomUUID } from 'node:crypto';
import type { Job } from '../solver/job.ts';

export interface ExportProgress {
  /** Tells of a part from its beginning to its end. */
  during<T>(name: string, work: () => Promise<T>): Promise<T>;
}

/** Runs an export under a vertex of its own. */
export async function exporting<T>(
  job: Job,
  name: string,
  work: (progress: ExportProgress) => Promise<T>,
): Promise<T> {
  const digest = `sha256:${createHash('sha256').update(randomUUID()).digest('hex')}`;
  const vertex = { digest, inputs: [], name, cached: false, started: new Date() };
  job.progress.vertex(vertex);
  try {
    const value = await work({ during: (part, run) => during(job, digest, part, run) });
    job.progress.vertex({ ...vertex, completed: new Date() });
    return value;
  } catch (error) {
    job.progress.vertex({ ...vertex, completed: new Date(), error: textOf(error) });
    throw error;
  }
}

async function during<T>(
  { progress }: Job,
  vertex: string,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const status = { id: name, vertex, name, current: 0, total: 0, started: new Date() };
  progress.status(status);
  const value = await work();
  progress.status({ ...status, completed: new Date() });
  return value;
}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
