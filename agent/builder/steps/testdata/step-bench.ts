/** Operations by themselves, on snapshots of the real kernel. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { CortenError } from '../../../errors.ts';
import { OpSchema } from '../../llb/ops.ts';
import { BuildCache } from '../../snapshots/build-cache.ts';
import type { Layer, Snapshot } from '../../snapshots/snapshot.ts';
import type { Job } from '../../solver/job.ts';
import type { Step, StepOutputs } from '../step.ts';
import type { StepRunner } from '../step-runner.ts';

export class OperationBench {
  readonly directory: string;
  readonly cache: BuildCache;
  readonly secrets = new Map<string, string>();
  readonly entitlements = new Set<string>();
  readonly runner: StepRunner;
  sshAgent: (id: string) => Promise<Duplex> = async () => {
    throw new CortenError('not-found', 'no agent');
  };
  output = '';
  heard: (text: string) => void = () => {};
  abort = new AbortController();
  #count = 0;

  private constructor(directory: string, cache: BuildCache, runner: StepRunner) {
    this.directory = directory;
    this.cache = cache;
    this.runner = runner;
  }

  static async open(runner: StepRunner = noRunner): Promise<OperationBench> {
    const directory = mkdtempSync(join(tmpdir(), 'corten-operations-'));
    mkdirSync(join(directory, 'cache'));
    const cache = await BuildCache.open(join(directory, 'cache'), {
      keep: async () => {},
      layerDirectory: () => undefined,
      sweep: async () => {},
      layerSizes: () => new Map<string, number>(),
    });
    return new OperationBench(directory, cache, runner);
  }

  close(): void {
    this.cache.close();
    rmSync(this.directory, { recursive: true });
  }

  /** A layer that `fill` puts files into. */
  layer(fill: (directory: string) => void): Layer {
    const id = `layer-${++this.#count}`;
    const directory = join(this.directory, id);
    mkdirSync(directory);
    fill(directory);
    return { id, directory };
  }

  tree(fill: (directory: string) => void): Snapshot {
    return { layers: [this.layer(fill)] };
  }

  async run(
    step: Step,
    op: NonNullable<MessageInitShape<typeof OpSchema>['op']>,
    inputs: readonly Snapshot[],
  ): Promise<StepOutputs> {
    this.output = '';
    return step({
      job: this.#job(),
      digest: 'sha256:0',
      op: create(OpSchema, { inputs: inputs.map(() => ({ digest: 'sha256:1' })), op }),
      inputs,
      snapshots: this.cache.snapshots,
      runner: this.runner,
      signal: this.abort.signal,
      log: (_, data) => {
        this.output += Buffer.from(data).toString();
        this.heard(this.output);
      },
    });
  }

  #job(): Job {
    const notOffered = () => {
      throw new Error('not offered in this test');
    };
    return {
      ref: 'test',
      signal: this.abort.signal,
      entitlements: this.entitlements,
      progress: { vertex() {}, status() {}, log() {}, warning() {} },
      client: {
        id: 'client',
        localDirectory: notOffered,
        credentials: notOffered,
        saveFile: notOffered,
        saveDirectory: notOffered,
        sshAgent: (id) => this.sshAgent(id),
        secret: async (id) => {
          const text = this.secrets.get(id);
          return text === undefined ? undefined : Buffer.from(text);
        },
      },
    };
  }
}

const noRunner: StepRunner = {
  run: () => {
    throw new Error('no process is run in this test');
  },
};
