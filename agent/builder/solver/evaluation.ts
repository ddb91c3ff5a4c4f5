/**
 * The evaluation of one job's graph. Each vertex is first *looked up*: with known inputs its cache keys can be computed
 * without running anything. What is not found is *computed*, inputs first and side by side. A vertex that nobody needs
 * is never touched.
 */
import { CortenError, invalid } from '../../errors.ts';
import type { DiskSnapshots } from '../snapshots/disk-snapshots.ts';
import type { Result, Results } from '../snapshots/results.ts';
import type { Snapshot } from '../snapshots/snapshot.ts';
import type { Source } from '../sources/source.ts';
import type { Step, StepOutputs } from '../steps/step.ts';
import type { StepRunner } from '../steps/step-runner.ts';
import { type ContentSelector, cacheKey, contentSelectors, whole } from './cache-key.ts';
import type { Edge, Vertex } from './graph.ts';
import type { Job } from './job.ts';
import type { RunningSteps } from './running-steps.ts';
import { StepFailure } from './solver.ts';

export interface EvaluationParts {
  snapshots: DiskSnapshots;
  results: Results;
  runner: StepRunner;
  running: RunningSteps;
  /** By the identifier's scheme: `docker-image`, `local`, `git`, `https` … */
  sources: Readonly<Record<string, Source>>;
  /** By the operation's kind. */
  steps: Readonly<Record<string, Step>>;
  checksum(tree: Snapshot, selector: ContentSelector): Promise<string>;
}

/** What is known of a vertex without computing it. */
interface Found {
  /** Names the result in the keys of what depends on it. */
  identity(): Promise<string>;
  /** The same as other machines would name it. */
  portableKey(): Promise<string>;
  /** Whether `identity` reads files, which a key by content makes unnecessary. */
  isIdentityCostly: boolean;
  outputs(): Promise<StepOutputs>;
}

interface Progress {
  started?: Date;
  isComplete: boolean;
}

export class Evaluation {
  readonly #job: Job;
  readonly #parts: EvaluationParts;
  readonly #lookups = new Map<string, Promise<Found | undefined>>();
  readonly #computed = new Map<string, Promise<Found>>();
  readonly #progress = new Map<string, Progress>();
  readonly #releases: (() => void)[] = [];
  readonly #checksums = new Map<string, Promise<string>>();

  constructor(job: Job, parts: EvaluationParts) {
    this.#job = job;
    this.#parts = parts;
  }

  /** Tells the client of a vertex before anything happens with it. */
  announce(vertex: Vertex): void {
    if (this.#progress.has(vertex.digest)) return;
    this.#progress.set(vertex.digest, { isComplete: false });
    this.#tell(vertex, { cached: false });
  }

  async snapshot({ vertex, index }: Edge): Promise<Snapshot> {
    const found = await this.#compute(vertex);
    const output = (await found.outputs())[index];
    if (output === undefined) throw invalid(`the operation ${vertex.name} has no output ${index}`);
    return output;
  }

  release(): void {
    for (const release of this.#releases.splice(0)) release();
  }

  /** Undefined: it has to be computed. Never runs a step, but brings local directories here. */
  #lookUp(vertex: Vertex): Promise<Found | undefined> {
    return memoized(this.#lookups, vertex.digest, async () => {
      this.#job.signal.throwIfAborted();
      if (vertex.op.op.case === 'source') return this.#findSource(vertex);
      if (vertex.metadata?.ignoreCache) return undefined;
      const inputs = await Promise.all(vertex.inputs.map((input) => this.#lookUp(input.vertex)));
      if (!inputs.every((input) => input !== undefined)) return undefined;
      return (await this.#findResult(vertex, inputs)).found;
    });
  }

  #compute(vertex: Vertex): Promise<Found> {
    return memoized(this.#computed, vertex.digest, async () => {
      const found = await this.#lookUp(vertex);
      if (found !== undefined) return found;
      const inputs = await Promise.all(vertex.inputs.map((input) => this.#compute(input.vertex)));
      this.#job.signal.throwIfAborted();
      if (vertex.metadata?.ignoreCache) {
        const keys = await this.#keysOf(vertex, inputs);
        return this.#run(vertex, inputs, keys);
      }
      const { found: cached, keys } = await this.#findResult(vertex, inputs);
      if (cached !== undefined) return cached;
      // Another build may be at the very same step: its result will be ours.
      return this.#parts.running.once(keys.at(-1) ?? '', this.#job.signal, async (isFirst) => {
        if (!isFirst) {
          const result = await this.#findResult(vertex, inputs);
          if (result.found !== undefined) return result.found;
        }
        return this.#run(vertex, inputs, keys);
      });
    });
  }

  /** By identities alone where they cost nothing, else by content; the cheaper key first. */
  async #findResult(
    vertex: Vertex,
    inputs: Found[],
  ): Promise<{ found: Found | undefined; keys: string[] }> {
    const keys: string[] = [];
    for await (const key of this.#eachKey(vertex, inputs)) {
      keys.push(key);
      const result = this.#parts.results.find(key);
      if (result === undefined) continue;
      for (const other of keys) if (other !== key) this.#parts.results.link(other, result.id);
      this.#hold(result.outputs);
      this.#completeCached(vertex);
      return { found: foundResult(result), keys };
    }
    return { found: undefined, keys };
  }

  async #keysOf(vertex: Vertex, inputs: Found[]): Promise<string[]> {
    const keys: string[] = [];
    for await (const key of this.#eachKey(vertex, inputs)) keys.push(key);
    return keys;
  }

  /** By content where the operation reads content, and by names that other machines know. */
  async #portableKey({ op, inputs: edges }: Vertex, inputs: Found[]): Promise<string> {
    const selectors = contentSelectors(op);
    const names = await Promise.all(
      inputs.map(async (input, index) => {
        const [selector, output] = [selectors[index], edges[index]?.index ?? 0];
        if (selector === undefined) return `${await input.portableKey()}:${output}`;
        return this.#contentOf(input, output, selector);
      }),
    );
    return cacheKey(op, names);
  }

  async *#eachKey({ op, inputs: edges }: Vertex, inputs: Found[]): AsyncGenerator<string> {
    const selectors = contentSelectors(op);
    const isByContent = selectors.some((selector) => selector !== undefined);
    const isCheap = inputs.every(
      ({ isIdentityCostly }, index) => !isIdentityCostly || selectors[index] === undefined,
    );
    const identities = (byContent: boolean) =>
      Promise.all(
        inputs.map(async (input, index) => {
          const selector = byContent ? selectors[index] : undefined;
          const output = edges[index]?.index ?? 0;
          if (selector === undefined) return `${await input.identity()}:${output}`;
          return this.#contentOf(input, output, selector);
        }),
      );
    if (isCheap || !isByContent) yield cacheKey(op, await identities(false));
    if (isByContent) yield cacheKey(op, await identities(true));
  }

  async #contentOf(input: Found, output: number, selectors: ContentSelector[]): Promise<string> {
    const tree = (await input.outputs())[output];
    if (tree === undefined) throw invalid('the build asks for an output that is not there');
    const checksums = await Promise.all(selectors.map((each) => this.#checksum(tree, each)));
    return checksums.join(' ');
  }

  #checksum(tree: Snapshot, selector: ContentSelector): Promise<string> {
    const ids = tree.layers.map(({ id }) => id);
    return memoized(this.#checksums, JSON.stringify([ids, selector]), () =>
      this.#parts.checksum(tree, selector),
    );
  }

  async #findSource(vertex: Vertex): Promise<Found> {
    const { op, platform } = vertex.op;
    if (op.case !== 'source') throw invalid(`${vertex.name} is not a source`);
    const scheme = op.value.identifier.split('://', 1)[0] ?? '';
    const source = this.#parts.sources[scheme];
    if (source === undefined)
      throw new CortenError(
        'not-implemented',
        `sources of the kind ${scheme}:// are not supported (${op.value.identifier}); supported are ${Object.keys(this.#parts.sources).join(', ')}`,
      );
    return this.#during(vertex, async () => {
      const job = this.#job;
      const found = await source({
        job,
        digest: vertex.digest,
        source: op.value,
        platform,
        signal: job.signal,
      });
      if (found.release !== undefined) this.#releases.push(found.release);
      let snapshot: Promise<Snapshot> | undefined;
      const fetch = () => {
        snapshot ??=
          found.state === 'remote'
            ? this.#during(vertex, () => found.snapshot())
            : found.snapshot();
        return snapshot.then((tree) => {
          this.#hold([tree]);
          return tree;
        });
      };
      if (found.state === 'cached') this.#completeCached(vertex);
      const identity = async () => found.identity ?? this.#checksum(await fetch(), whole());
      return {
        isIdentityCostly: found.identity === undefined,
        identity,
        portableKey: identity,
        outputs: async () => [await fetch()],
      };
    });
  }

  async #run(vertex: Vertex, inputs: Found[], keys: string[]): Promise<Found> {
    const { op } = vertex.op;
    const step = this.#parts.steps[op.case ?? ''];
    if (step === undefined)
      throw new CortenError(
        'not-implemented',
        `operations of the kind ${op.case ?? 'unknown'} are not supported; supported are ${Object.keys(this.#parts.steps).join(', ')}`,
      );
    const trees = await Promise.all(
      vertex.inputs.map(async ({ index }, position) => {
        const tree = (await inputs[position]?.outputs())?.[index];
        if (tree === undefined) throw invalid(`an input of ${vertex.name} has no output ${index}`);
        return tree;
      }),
    );
    const { snapshots, runner, results } = this.#parts;
    const job = this.#job;
    const outputs = await this.#during(vertex, () =>
      step({
        job,
        digest: vertex.digest,
        op: vertex.op,
        inputs: trees,
        snapshots,
        runner,
        signal: job.signal,
        log: (stream, data) =>
          job.progress.log({ vertex: vertex.digest, stream, data, timestamp: new Date() }),
      }),
    );
    this.#hold(outputs);
    const kind = op.case === 'exec' || op.case === 'file' ? 'regular' : 'internal';
    const portableKey = await this.#portableKey(vertex, inputs);
    return foundResult(results.add(keys, outputs, { description: vertex.name, kind, portableKey }));
  }

  #hold(outputs: StepOutputs): void {
    for (const output of outputs)
      if (output !== undefined) this.#releases.push(this.#parts.snapshots.hold(output));
  }

  /** Tells the beginning and the end of what a vertex does, and names the vertex in its failure. */
  async #during<T>(vertex: Vertex, work: () => Promise<T>): Promise<T> {
    const progress: Progress = { started: new Date(), isComplete: false };
    this.#progress.set(vertex.digest, progress);
    this.#tell(vertex, { cached: false, started: progress.started });
    try {
      const result = await work();
      this.#tell(vertex, { cached: false, started: progress.started, completed: new Date() });
      progress.isComplete = true;
      return result;
    } catch (error) {
      const failure = this.#job.signal.aborted ? new Error('cancelled') : error;
      const message = failure instanceof Error ? failure.message : String(failure);
      const completed = new Date();
      this.#tell(vertex, { cached: false, started: progress.started, completed, error: message });
      if (error instanceof StepFailure || this.#job.signal.aborted) throw error;
      throw new StepFailure(message, { digest: vertex.digest, cause: error });
    }
  }

  #completeCached(vertex: Vertex): void {
    const now = new Date();
    const { started = now } = this.#progress.get(vertex.digest) ?? {};
    this.#progress.set(vertex.digest, { started, isComplete: true });
    this.#tell(vertex, { cached: true, started, completed: now });
  }

  #tell(
    { digest, inputs, name, metadata }: Vertex,
    state: { cached: boolean; started?: Date | undefined; completed?: Date; error?: string },
  ): void {
    const { cached, started, completed, error } = state;
    this.#job.progress.vertex({
      digest,
      inputs: inputs.map(({ vertex }) => vertex.digest),
      name,
      cached,
      ...(started && { started }),
      ...(completed && { completed }),
      ...(error !== undefined && { error }),
      ...(metadata?.progressGroup && { progressGroup: metadata.progressGroup }),
    });
  }
}

const foundResult = ({ id, portableKey, outputs }: Result): Found => ({
  isIdentityCostly: false,
  identity: async () => id,
  portableKey: async () => portableKey,
  outputs: async () => outputs,
});

function memoized<T>(
  memory: Map<string, Promise<T>>,
  key: string,
  make: () => Promise<T>,
): Promise<T> {
  const known = memory.get(key);
  if (known !== undefined) return known;
  const made = make();
  // Whoever waits for it is told; without this a failure that nobody has asked for yet would look unhandled.
  made.catch(() => {});
  memory.set(key, made);
  return made;
}
