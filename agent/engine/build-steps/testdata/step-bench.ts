/** Steps on the real kernel, with a root of Debian's static busybox. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Layer } from '../../../builder/snapshots/snapshot.ts';
import type { StepRequest, StepResult, StepRunner } from '../../../builder/steps/step-runner.ts';
import type { CgroupDriver } from '../../../cgroup/cgroup.ts';
import { detectCgroupDriver } from '../../../cgroup/detect.ts';
import { createNetworks } from '../../../network/bridge-networks.ts';
import type { Networks } from '../../../network/networks.ts';
import { createRuntime } from '../../../runtime/linux-runtime.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { makeBusyboxRootfs } from '../../../runtime/testdata/busybox-rootfs.ts';
import { shimPath } from '../../../runtime/testdata/test-container.ts';
import { defaultIdPool } from '../../containers/id-range.ts';
import { ensurePredefined } from '../../networks/networks.ts';
import { containersDirectory, runsDirectory } from '../../paths.ts';
import { ContainerTable } from '../../state/container-table.ts';
import { openDatabase } from '../../state/database.ts';
import { NetworkTable } from '../../state/network-table.ts';
import { createStepRunner, type StepContext } from '../step-runner.ts';

export interface StepOutcome extends StepResult {
  stdout: string;
  stderr: string;
  /** The layer that the step wrote. */
  upper: string;
}

export class StepBench {
  readonly root: string;
  readonly runner: StepRunner;
  readonly context: StepContext;
  readonly reports: string[] = [];
  readonly #runtime: Runtime;
  readonly #network: Networks;
  readonly #cgroups: CgroupDriver;
  #count = 0;

  private constructor(root: string, runtime: Runtime, remapped: boolean) {
    this.root = root;
    this.#runtime = runtime;
    this.#cgroups = detectCgroupDriver({ parent: basename(root), boundAll: () => {} });
    this.#network = createNetworks({ suffix: 'stp' });
    const database = openDatabase(':memory:');
    const paths = { root: join(root, 'state'), run: join(root, 'run') };
    for (const directory of [containersDirectory(paths), runsDirectory(paths)])
      mkdirSync(directory, { recursive: true });
    this.context = {
      paths,
      runtime,
      cgroups: this.#cgroups,
      network: this.#network,
      networks: new NetworkTable(database),
      containers: new ContainerTable(database, { report: () => {} }),
      userNamespaces: { byDefault: remapped, pool: defaultIdPool },
      report: (what, error) => this.reports.push(`${what}: ${error}`),
    };
    ensurePredefined(this.context);
    this.runner = createStepRunner(this.context);
  }

  /** `remapped`: steps have user namespaces. */
  static async open({ remapped = false } = {}): Promise<StepBench> {
    const root = mkdtempSync(join(tmpdir(), 'corten-steps-'));
    makeBusyboxRootfs(join(root, 'image'));
    const bench = new StepBench(root, await createRuntime({ shimPath }), remapped);
    await bench.#network.reconcile({ networks: [], running: [] });
    return bench;
  }

  async close(): Promise<void> {
    await this.#runtime.close();
    await this.#network.close();
    this.#cgroups.removeParent();
    rmSync(this.root, { recursive: true, force: true });
  }

  get image(): Layer {
    return { id: 'image', directory: join(this.root, 'image') };
  }

  /** An empty directory. */
  directory(): string {
    const path = join(this.root, `d${++this.#count}`);
    mkdirSync(path);
    return path;
  }

  layers(): { upper: string; work: string } {
    const base = this.directory();
    const layers = { upper: join(base, 'upper'), work: join(base, 'work') };
    for (const path of Object.values(layers)) mkdirSync(path);
    return layers;
  }

  /** Asks what listens at a socket's path in the one step that runs, and resolves with all that it answers. */
  async ask(socketPath: string, question: string): Promise<string> {
    const [name = ''] = this.#cgroups.list();
    const [pid] = this.#cgroups.open(name).processes();
    const connection = connect(`/proc/${pid}/root${socketPath}`);
    connection.write(question);
    return text(connection);
  }

  async run(script: string, change: Partial<StepRequest> = {}): Promise<StepOutcome> {
    const heard = { 1: '', 2: '' };
    const layers = this.layers();
    const request: StepRequest = {
      rootfs: { lowers: [this.image.directory], ...layers },
      isRootReadOnly: false,
      process: {
        args: ['/bin/sh', '-c', script],
        env: ['PATH=/bin'],
        workingDirectory: '/',
        user: '',
      },
      mounts: [],
      network: 'none',
      security: 'sandbox',
      extraHosts: [],
      ulimits: [],
      limits: {},
      output: (stream, data) => {
        heard[stream] += data.toString();
      },
      signal: new AbortController().signal,
      ...change,
    };
    const result = await this.runner.run(request);
    return { ...result, stdout: heard[1], stderr: heard[2], upper: request.rootfs.upper };
  }
}
