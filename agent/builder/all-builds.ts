/** Runs builds, and remembers those that have ended for as long as clients may still ask. */
import { conflict, notFound } from '../errors.ts';
import { BuildCancelled, type BuildRequest, type Builds, type ProgressBatch } from './builds.ts';
import type { Exporter } from './exporters/exporter.ts';
import type { FrontEndResult } from './front-end.ts';
import { BuildGateway, type GatewayParts } from './gateway.ts';
import type { BuildHistory } from './history/build-history.ts';
import { ProgressRecord } from './progress-record.ts';
import { type BuildResult, platformResults } from './result.ts';
import type { GraphSolver } from './solver/graph-solver.ts';
import type { Job } from './solver/job.ts';
import type { Ref } from './solver/solver.ts';

export interface AllBuildsParts extends GatewayParts {
  solver: GraphSolver;
  exporters: Readonly<Record<string, Exporter>>;
  history: BuildHistory;
}

interface Build {
  progress: ProgressRecord;
  gateway: BuildGateway;
  stop: AbortController;
  hasEnded: boolean;
}

/** Clients read the last of the progress after the build has ended. */
const rememberedMs = 60_000;
/** How long a question about a build may come before the build. */
const arrivalMs = 5_000;

export class AllBuilds implements Builds {
  readonly #parts: AllBuildsParts;
  readonly #builds = new Map<string, Build>();
  readonly #awaited = new Map<string, (() => void)[]>();

  constructor(parts: AllBuildsParts) {
    this.#parts = parts;
  }

  get history(): BuildHistory {
    return this.#parts.history;
  }

  async run(request: BuildRequest, signal: AbortSignal): Promise<Record<string, string>> {
    const { ref } = request;
    if (this.#builds.has(ref)) throw conflict(`a build ${ref} is there already`);
    // One step's failure stops the others of the build.
    const stop = new AbortController();
    const progress = new ProgressRecord();
    const job: Job = {
      ref,
      signal: AbortSignal.any([signal, stop.signal]),
      client: request.client,
      progress,
      entitlements: new Set(request.entitlements),
    };
    const gateway = new BuildGateway(job, this.#parts);
    const build: Build = { progress, gateway, stop, hasEnded: false };
    this.#arrive(ref, build);
    this.#parts.history.begin(request, progress);
    let response: Record<string, string> = {};
    let failure: Error | undefined;
    let isCancelled = false;
    try {
      response = await this.#export(job, request, await this.#resultOf(job, request, build));
      return response;
    } catch (error) {
      failure = error as Error;
      isCancelled = job.signal.aborted;
      stop.abort(error);
      build.gateway.finish(failure);
      throw error;
    } finally {
      build.hasEnded = true;
      progress.end();
      this.#parts.solver.release(job);
      setTimeout(() => this.#builds.delete(ref), rememberedMs).unref();
      this.#parts.history.end(ref, { response, isCancelled, ...(failure && { error: failure }) });
    }
  }

  async *progress(ref: string, signal: AbortSignal): AsyncGenerator<ProgressBatch> {
    const ended = this.#builds.has(ref) ? undefined : this.#parts.history.progress(ref);
    if (ended !== undefined) {
      yield ended;
      return;
    }
    const build = this.#builds.get(ref) ?? (await this.#arrival(ref, signal));
    yield* build.progress.read(signal);
  }

  cancel(ref: string): void {
    const build = this.#builds.get(ref);
    if (build === undefined) throw notFound(`there is no build ${ref} that runs`);
    if (build.hasEnded) throw conflict(`build ${ref} has ended`);
    build.stop.abort(new BuildCancelled());
  }

  gateway(ref: string): BuildGateway {
    const build = this.#builds.get(ref);
    if (build === undefined) throw notFound(`there is no build ${ref}`);
    return build.gateway;
  }

  async #resultOf(job: Job, { source }: BuildRequest, { gateway }: Build): Promise<BuildResult> {
    if (source.kind === 'definition')
      return { ref: gateway.load(source.definition), refs: new Map(), metadata: new Map() };
    if (source.kind === 'front-end')
      return loaded(await gateway.frontEnd(source.name, source.options, source.inputs), gateway);
    return abortable(gateway.result, job.signal);
  }

  async #export(job: Job, request: BuildRequest, result: BuildResult) {
    const refs = platformResults(result).map(({ ref }) => ref);
    // A build without an output still runs: people build to see whether it does.
    await Promise.all(refs.map((ref) => ref?.snapshot()));
    const response: Record<string, string> = {};
    for (const [index, { type, attributes }] of request.exporters.entries()) {
      const exporter = this.#parts.exporters[type];
      if (exporter === undefined)
        throw notFound(
          `exporter ${JSON.stringify(type)} could not be found; there are ${Object.keys(this.#parts.exporters).join(', ')}`,
        );
      Object.assign(response, await exporter({ job, result, index, attributes }));
    }
    return response;
  }

  #arrive(ref: string, build: Build): void {
    this.#builds.set(ref, build);
    for (const wake of this.#awaited.get(ref) ?? []) wake();
    this.#awaited.delete(ref);
  }

  async #arrival(ref: string, signal: AbortSignal): Promise<Build> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, arrivalMs);
      const wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#awaited.set(ref, [...(this.#awaited.get(ref) ?? []), wake]);
      signal.addEventListener('abort', wake, { once: true });
    });
    const build = this.#builds.get(ref);
    if (build === undefined) throw notFound(`there is no build ${ref}`);
    return build;
  }
}

/** A front end's answer in the shape that exporters read. */
function loaded(
  { results, isMultiPlatform, metadata }: FrontEndResult,
  gateway: BuildGateway,
): BuildResult {
  const entries = [...results].map(([key, { definition, config, platform }]) => ({
    key,
    platform,
    config,
    ref: definition === undefined ? undefined : gateway.load(definition),
  }));
  const all = new Map(metadata);
  const platforms = entries.map(({ key, platform: { OS, Architecture, Variant } }) => ({
    ID: key,
    Platform: { os: OS, architecture: Architecture, ...(Variant !== '' && { variant: Variant }) },
  }));
  all.set('refs.platforms', Buffer.from(JSON.stringify({ Platforms: platforms })));
  for (const { key, config } of entries)
    all.set(isMultiPlatform ? `containerimage.config/${key}` : 'containerimage.config', config);
  const [only] = entries;
  if (!isMultiPlatform) return { ref: only?.ref, refs: new Map(), metadata: all };
  const refs = new Map<string, Ref | undefined>(entries.map(({ key, ref }) => [key, ref]));
  return { ref: undefined, refs, metadata: all };
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<T>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort));
}
