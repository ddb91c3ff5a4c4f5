import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  type Definition,
  DefinitionSchema,
  type Op,
  OpMetadataSchema,
  OpSchema,
} from '../llb/ops.ts';
import { ProgressRecord } from '../progress-record.ts';
import { BuildCache } from '../snapshots/build-cache.ts';
import type { Snapshot } from '../snapshots/snapshot.ts';
import { ImageSource } from '../sources/image.ts';
import { findLocal } from '../sources/local.ts';
import type { Step } from '../steps/step.ts';
import { GraphSolver } from './graph-solver.ts';
import type { BuildClient, Job } from './job.ts';
import type { VertexProgress } from './progress.ts';
import { RunningSteps } from './running-steps.ts';

let directory: string;
let cache: BuildCache;
let solver: GraphSolver;
/** What the steps were asked to do, in order. */
let ran: string[];
let exec: (name: string) => Promise<void>;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'corten-solver-'));
  ran = [];
  exec = async () => {};
  await open();
});
afterEach(() => {
  cache.close();
  rmSync(directory, { recursive: true });
});

async function open(): Promise<void> {
  const images = {
    keep: async () => {},
    layerDirectory: () => undefined,
    sweep: async () => {},
    layerSizes: () => new Map<string, number>(),
  };
  cache = await BuildCache.open(directory, images);
  const none = () => {
    throw new Error('no test asks for an image');
  };
  solver = new GraphSolver({
    snapshots: cache.snapshots,
    results: cache.results,
    runner: { run: none },
    running: new RunningSteps(),
    sources: { local: findLocal },
    steps: { exec: writeStep, file: copyStep },
    checksum: async (tree, { path }) => checksumOf(tree, path),
    images: new ImageSource(
      { localForBuild: none, resolveForBuild: none, fetchForBuild: none },
      cache,
    ),
  });
}

/** Writes a file named by the first argument, into the root. */
const writeStep: Step = async ({ op, inputs, snapshots }) => {
  const name = op.op.case === 'exec' ? (op.op.value.meta?.args[0] ?? '') : '';
  ran.push(name);
  await exec(name);
  const snapshot = await snapshots.begin(inputs[0] ?? { layers: [] });
  writeFileSync(join(snapshot.upper, name), name);
  return [await snapshot.commit()];
};

const copyStep: Step = async ({ op, inputs, snapshots }) => {
  const action = op.op.case === 'file' ? op.op.value.actions[0]?.action : undefined;
  if (action?.case !== 'copy') throw new Error('only copies are tested');
  ran.push(`copy ${action.value.src}`);
  const snapshot = await snapshots.begin(inputs[0] ?? { layers: [] });
  writeFileSync(join(snapshot.upper, 'copied'), checksumOf(inputs[1], action.value.src));
  return [await snapshot.commit()];
};

function checksumOf(tree: Snapshot | undefined, path: string): string {
  const names = (tree?.layers ?? []).flatMap((layer) =>
    readdirSync(layer.directory).filter((name) => path === '/' || `/${name}` === path),
  );
  return createHash('sha256').update(names.sort().join()).digest('hex');
}

const run = (name: string, ...inputs: Op[]) =>
  create(OpSchema, {
    inputs: inputs.map((input) => ({ digest: digestOf(input), index: 0n })),
    op: {
      case: 'exec',
      value: {
        meta: { args: [name] },
        mounts: [{ input: inputs.length > 0 ? 0n : -1n, dest: '/' }],
      },
    },
  });

const copy = (path: string, onto: Op, from: Op) =>
  create(OpSchema, {
    inputs: [onto, from].map((input) => ({ digest: digestOf(input), index: 0n })),
    op: {
      case: 'file',
      value: {
        actions: [
          {
            input: 0n,
            secondaryInput: 1n,
            output: 0n,
            action: { case: 'copy', value: { src: path } },
          },
        ],
      },
    },
  });

const local = (name: string) =>
  create(OpSchema, { op: { case: 'source', value: { identifier: `local://${name}` } } });

const digestOf = (op: Op) =>
  `sha256:${createHash('sha256').update(toBinary(OpSchema, op)).digest('hex')}`;

function graph(ops: Op[], ignoreCache: Op[] = []): Definition {
  const result = ops.at(-1) as Op;
  const terminal = create(OpSchema, { inputs: [{ digest: digestOf(result), index: 0n }] });
  return create(DefinitionSchema, {
    def: [...ops, terminal].map((op) => toBinary(OpSchema, op)),
    metadata: Object.fromEntries(
      ignoreCache.map((op) => [digestOf(op), create(OpMetadataSchema, { ignoreCache: true })]),
    ),
  });
}

let jobs = 0;
function newJob(client: Partial<BuildClient> = {}, signal = new AbortController().signal) {
  const progress = new ProgressRecord();
  const job: Job = {
    ref: `job${++jobs}`,
    signal,
    client: client as BuildClient,
    progress,
    entitlements: new Set(),
  };
  return { job, progress };
}

/** Builds in a job of its own. Resolves with how many layers came out, and what was told at last of each vertex. */
async function build(definition: Definition, client?: Partial<BuildClient>) {
  const { job, progress } = newJob(client);
  try {
    const { layers } = await solver.load(job, definition).snapshot();
    return { layers: layers.length, told: await toldOf(progress) };
  } finally {
    solver.release(job);
  }
}

async function toldOf(progress: ProgressRecord): Promise<Map<string, VertexProgress>> {
  progress.end();
  const told = new Map<string, VertexProgress>();
  for await (const { vertexes } of progress.read(new AbortController().signal))
    for (const vertex of vertexes) told.set(vertex.name, vertex);
  return told;
}

/** A client whose context holds files of these names. */
function contextOf(...names: string[]): Partial<BuildClient> {
  const path = mkdtempSync(join(directory, 'context-'));
  for (const name of names) writeFileSync(join(path, name), '');
  return { localDirectory: async () => ({ path, release: () => {} }) };
}

test('steps run once, in order, and are in the cache afterwards, over a restart too', async () => {
  const first = run('first');
  const second = run('second', first);
  assert.equal((await build(graph([first, second]))).layers, 2);
  assert.deepEqual(ran, ['first', 'second']);
  cache.close();
  await open();
  const { layers, told } = await build(graph([first, second]));
  assert.equal(layers, 2);
  assert.deepEqual(ran, ['first', 'second']);
  assert.deepEqual(
    [...told.values()].map(({ name, cached }) => [name, cached]),
    [
      ['first', true],
      ['second', true],
    ],
  );
});

test('a change of one step reruns it and what depends on it, not what lies before', async () => {
  const first = run('first');
  await build(graph([first, run('second', first)]));
  ran = [];
  const changed = run('changed', first);
  await build(graph([first, changed, run('third', changed)]));
  assert.deepEqual(ran, ['changed', 'third']);
});

test('what the result does not need never runs', async () => {
  const wanted = run('wanted');
  await build(graph([run('unwanted'), wanted]));
  assert.deepEqual(ran, ['wanted']);
});

test('steps that do not depend on each other run side by side', async () => {
  const both = Promise.withResolvers<void>();
  let begun = 0;
  exec = async (name) => {
    if (name === 'end') return;
    if (++begun === 2) both.resolve();
    await both.promise;
  };
  const [left, right] = [run('left'), run('right')];
  await build(graph([left, right, copy('/right', left, right)]));
  assert.deepEqual(ran, ['left', 'right', 'copy /right']);
});

test('a copy depends on the files that it copies, not on the rest of the context', async () => {
  const definition = () => {
    const base = run('base');
    const context = local('context');
    return graph([base, context, copy('/wanted', base, context)]);
  };
  await build(definition(), contextOf('wanted'));
  ran = [];
  const { told } = await build(definition(), contextOf('wanted', 'other'));
  assert.deepEqual(ran, []);
  assert.equal(told.get('copy')?.cached, true);
  await build(definition(), contextOf('other'));
  assert.deepEqual(ran, ['copy /wanted']);
});

test('a stage that was made anew with the same files leaves what copied from it in the cache', async () => {
  const base = run('base');
  const before = run('file');
  await build(graph([base, before, copy('/file', base, before)]));
  ran = [];
  await build(graph([base, before, copy('/file', base, before)], [before]));
  assert.deepEqual(ran, ['file']);
});

test('without the cache a step runs again, and so does what depends on it', async () => {
  const first = run('first');
  const second = run('second', first);
  await build(graph([first, second]));
  await build(graph([first, second], [first]));
  assert.deepEqual(ran, ['first', 'second', 'first', 'second']);
});

test('two builds at once run a step that they share once', async () => {
  const open = Promise.withResolvers<void>();
  exec = () => open.promise;
  const shared = run('shared');
  const builds = [build(graph([shared])), build(graph([shared]))];
  open.resolve();
  await Promise.all(builds);
  assert.deepEqual(ran, ['shared']);
});

test('a build whose step another build ran and failed runs it itself', async () => {
  let tries = 0;
  exec = async () => {
    if (++tries === 1) throw new Error('out of luck');
  };
  const shared = run('shared');
  const builds = await Promise.allSettled([build(graph([shared])), build(graph([shared]))]);
  assert.deepEqual(
    builds.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  );
});

test('a failure names its vertex, is told, and leaves nothing in the cache', async () => {
  exec = async () => {
    throw new Error('no such luck');
  };
  const { job, progress } = newJob();
  const step = run('step');
  await assert.rejects(solver.load(job, graph([step])).snapshot(), {
    name: 'StepFailure',
    message: 'no such luck',
    digest: digestOf(step),
  });
  assert.equal((await toldOf(progress)).get('step')?.error, 'no such luck');
  assert.deepEqual(cache.results.rows(), []);
});

test('a job that is aborted runs nothing more', async () => {
  const abort = new AbortController();
  exec = async () => abort.abort(new Error('gone'));
  const first = run('first');
  const { job } = newJob({}, abort.signal);
  await assert.rejects(solver.load(job, graph([first, run('second', first)])).snapshot(), /gone/);
  assert.deepEqual(ran, ['first']);
});

test('a graph that lacks an operation is refused', () => {
  const { job } = newJob();
  const first = run('first');
  assert.throws(
    () => solver.load(job, graph([run('second', first)])),
    /lacks the operation sha256:/,
  );
});
