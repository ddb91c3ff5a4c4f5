/** Builds as documents of `/corten/v1/builds`. */
import type { BuildsBackend } from '../../api/build/backend.ts';
import type {
  BuildDocument,
  BuildProgressDocument,
  BuildStatus,
  BuildVertex,
  BuildWarning,
} from '../../contract/build.ts';
import { notFound } from '../../errors.ts';
import type { BuildRecord, Builds, ProgressBatch } from '../builds.ts';
import type { StatusProgress, VertexProgress, WarningProgress } from '../solver/progress.ts';
import { sourceLines } from './failure.ts';

export class BuildDocuments implements BuildsBackend {
  /** The builder is loaded when somebody first asks for it. */
  readonly #builds: () => Promise<Builds>;

  constructor(builds: () => Promise<Builds>) {
    this.#builds = builds;
  }

  async list(): Promise<BuildDocument[]> {
    return (await this.#builds()).history.list().map(buildDocument);
  }

  async inspect(ref: string): Promise<BuildDocument> {
    const record = (await this.#builds()).history.list().find((each) => each.ref === ref);
    if (record === undefined) throw notFound(`there is no build ${ref}`);
    return buildDocument(record);
  }

  async *progress(ref: string, signal: AbortSignal): AsyncGenerator<BuildProgressDocument> {
    for await (const batch of (await this.#builds()).progress(ref, signal))
      yield progressDocument(batch);
  }

  async cancel(ref: string): Promise<void> {
    (await this.#builds()).cancel(ref);
  }

  async setPinned(ref: string, isPinned: boolean): Promise<void> {
    (await this.#builds()).history.setPinned(ref, isPinned);
  }

  async remove(ref: string): Promise<void> {
    (await this.#builds()).history.remove(ref);
  }
}

const argumentPrefix = 'build-arg:';

function buildDocument(record: BuildRecord): BuildDocument {
  const { ref, options, startedAt, completedAt, steps, warnings, isPinned, failure } = record;
  const isDockerfile = record.source !== 'definition';
  return {
    ref,
    state: stateOf(record),
    startedAt: startedAt.toISOString(),
    ...(completedAt && { completedAt: completedAt.toISOString() }),
    ...(isDockerfile && { dockerfile: options.filename || 'Dockerfile' }),
    ...(options.target && { target: options.target }),
    platforms: listed(options.platform),
    buildArguments: Object.fromEntries(
      Object.entries(options)
        .filter(([name]) => name.startsWith(argumentPrefix))
        .map(([name, value]) => [name.slice(argumentPrefix.length), value]),
    ),
    names: namesOf(record),
    ...imageOf(record),
    steps,
    warnings,
    isPinned,
    ...(failure && { failure }),
  };
}

function stateOf({ completedAt, error, isCancelled }: BuildRecord): BuildDocument['state'] {
  if (completedAt === undefined) return 'running';
  if (isCancelled) return 'cancelled';
  return error === undefined ? 'completed' : 'failed';
}

/** What the exporters were asked for; the names that they gave, where they said. */
function namesOf({ exporters, response }: BuildRecord): string[] {
  const given = listed(response['image.name']);
  if (given.length > 0) return given;
  return exporters.flatMap(({ attributes }) => listed(attributes.name));
}

function imageOf({ response }: BuildRecord): { imageId?: string } {
  const digest = response['containerimage.config.digest'] ?? response['containerimage.digest'];
  return digest === undefined ? {} : { imageId: digest };
}

function listed(text: string | undefined): string[] {
  return (text ?? '').split(',').filter((name) => name !== '');
}

/** Lists that are empty are left out, since most lines have one kind only. */
export function progressDocument(batch: ProgressBatch): BuildProgressDocument {
  const { vertexes, statuses, logs, warnings } = batch;
  return {
    ...(vertexes.length > 0 && { vertexes: vertexes.map(vertexDocument) }),
    ...(statuses.length > 0 && { statuses: statuses.map(statusDocument) }),
    ...(logs.length > 0 && {
      logs: logs.map(({ vertex, stream, data, timestamp }) => ({
        vertex,
        stream,
        data: Buffer.from(data).toString('base64'),
        timestamp: timestamp.toISOString(),
      })),
    }),
    ...(warnings.length > 0 && { warnings: warnings.map(warningDocument) }),
  };
}

function vertexDocument(vertex: VertexProgress): BuildVertex {
  const { digest, inputs, name, cached, error } = vertex;
  return {
    digest,
    inputs,
    name,
    ...(cached && { cached }),
    ...times(vertex),
    ...(error !== undefined && { error }),
  };
}

function statusDocument(status: StatusProgress): BuildStatus {
  const { id, vertex, name, current, total } = status;
  return { id, vertex, name, current, total, ...times(status) };
}

function warningDocument(warning: WarningProgress): BuildWarning {
  const { vertex, level, short, detail, url, info, ranges } = warning;
  return {
    vertex,
    level,
    short,
    detail,
    url,
    ...(info && { source: sourceLines(info, ranges) }),
  };
}

function times({ started, completed }: { started?: Date; completed?: Date }) {
  return {
    ...(started && { started: started.toISOString() }),
    ...(completed && { completed: completed.toISOString() }),
  };
}
