/**
 * Runs the processes of a build's steps: containers in all but their record. They have the same namespaces, cgroup,
 * network and limits, and nothing of them is in `docker ps`. Their ids are of containers' kind, so that what an agent that was
 * killed leaves of them is swept with what no container owns.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { StepRequest, StepResult, StepRunner } from '../../builder/steps/step-runner.ts';
import type { Cgroup, CgroupPlacement } from '../../cgroup/cgroup.ts';
import { closePlacement } from '../../cgroup/placement.ts';
import type { ContainerSettings, EndpointView } from '../../contract/container.ts';
import { CortenError } from '../../errors.ts';
import { hasFreeSpace } from '../../kernel/disk-free-space.ts';
import { defaultMounts } from '../../runtime/default-spec.ts';
import type { LaunchRequest, PreparedSandbox, RunningProcess } from '../../runtime/runtime.ts';
import { drawRange, type IdBlock } from '../containers/id-range.ts';
import { type EngineContext, reporter } from '../context.ts';
import { newId } from '../ids.ts';
import { endpointSettings } from '../networks/network-endpoints.ts';
import { writeHosts, writeNetworkFiles } from '../networks/network-files.ts';
import { containerPaths } from '../paths.ts';
import { removeRunDirectory } from '../run-directory.ts';
import { Undo } from '../undo.ts';
import { type MountPoint, makeMountPoints } from './mount-points.ts';
import { StepMounts } from './step-mounts.ts';
import { readOutput } from './step-output.ts';
import { mountedFiles, settingsOf, specOf } from './step-settings.ts';

export type StepContext = Pick<
  EngineContext,
  | 'paths'
  | 'runtime'
  | 'cgroups'
  | 'network'
  | 'networks'
  | 'containers'
  | 'userNamespaces'
  | 'report'
>;

const SIGKILL = 9;
/** A disk with less than this is called full. */
const almostNoBytes = 1024 ** 2;

export function createStepRunner(context: StepContext): StepRunner {
  /** Ids of the user namespaces of steps that run. */
  const ranges = new Map<string, IdBlock>();
  return {
    run: async (request) => {
      request.signal.throwIfAborted();
      const undo = new Undo();
      const step = new Step(context, request, ranges, undo);
      try {
        return await step.run();
      } finally {
        await undo.run(reporter(context, `take away what the step ${step.id} left`));
      }
    },
  };
}

/** One run of one process, and what it needs until its end. */
class Step {
  readonly id = newId();
  readonly #context: StepContext;
  readonly #request: StepRequest;
  readonly #settings: ContainerSettings;
  readonly #ranges: Map<string, IdBlock>;
  readonly #undo: Undo;

  constructor(
    context: StepContext,
    request: StepRequest,
    ranges: Map<string, IdBlock>,
    undo: Undo,
  ) {
    this.#context = context;
    this.#request = request;
    this.#settings = settingsOf(request, context);
    this.#ranges = ranges;
    this.#undo = undo;
  }

  async run(): Promise<StepResult> {
    const { signal, output } = this.#request;
    const { sandbox, launching, cgroup, placement } = await this.#prepare();
    let process: RunningProcess;
    try {
      await this.#wire(sandbox);
      signal.throwIfAborted();
      process = await this.#context.runtime.launch(sandbox, launching);
    } finally {
      closePlacement(placement);
      await sandbox.close();
    }
    const reading = readOutput(process.stdio, output);
    // The process's end is the end of all in its pid namespace.
    const kill = () => {
      reading.close();
      killOrIgnore(process);
    };
    signal.addEventListener('abort', kill);
    if (signal.aborted) kill();
    try {
      const failure = await reading.ended.then(() => undefined, asFailure);
      if (failure !== undefined) kill();
      const { exitCode } = await process.exited;
      signal.throwIfAborted();
      if (failure !== undefined) throw failure.error;
      return { exitCode, ...this.#limitThatEnded(exitCode, cgroup) };
    } finally {
      signal.removeEventListener('abort', kill);
      await process.releaseRoot();
      await process.settled;
    }
  }

  async #prepare() {
    const { rootfs, mounts: asked } = this.#request;
    const { cgroups, paths, runtime, report } = this.#context;
    const { directory, files, run } = containerPaths(paths, this.id);
    cgroups.check(this.#settings.limits);
    const range = this.#drawIds();
    this.#undo.push(() => rmSync(directory, { recursive: true, force: true }));
    mkdirSync(files.directory, { recursive: true, mode: 0o700 });
    const mounts = await StepMounts.open(asked, directory, range);
    this.#undo.push(() => mounts.close());
    const lowers = this.#withMountPoints(mounts);
    const { spec, deviceRules } = specOf(this.#request, this.#settings, {
      files,
      userNamespace: range && { range },
      mounts: mounts.mounts,
    });
    let cgroup = cgroups.open(this.id);
    let placement: CgroupPlacement = { procsFds: [] };
    const launching = (): LaunchRequest => ({
      spec,
      runDirectory: run,
      placement,
      pipesOutput: true,
      openStdin: false,
      init: false,
      keepsRoot: true,
    });
    try {
      const sandbox = await runtime.prepare({
        spec,
        rootfs: { kind: 'overlay', ...rootfs, lowers, volatile: true },
        trees: mounts.trees,
        cgroupPaths: cgroup.paths,
        unwired: this.#request.network !== 'default',
        makeSources: () => writeNetworkFiles(this.#context, this.#owner()),
        makeGroups: () => {
          cgroup = cgroups.create(this.id, this.#settings.limits, deviceRules);
          this.#undo.push(() => cgroup.remove());
        },
        meanwhile: () => {
          placement = cgroup.placement();
          this.#undo.push(() => removeRunDirectory(run, report));
          return launching();
        },
      });
      return { sandbox, launching: launching(), cgroup, placement };
    } catch (error) {
      closePlacement(placement);
      throw error;
    }
  }

  #drawIds(): IdBlock | undefined {
    if (this.#settings.namespaces.user !== 'auto') return undefined;
    const { containers, userNamespaces } = this.#context;
    const taken = containers.all().flatMap(({ idRange }) => idRange ?? []);
    const range = drawRange(userNamespaces.pool, [...taken, ...this.#ranges.values()], this.id);
    this.#ranges.set(this.id, range);
    this.#undo.push(() => this.#ranges.delete(this.id));
    return range;
  }

  /** The layers below the step's own, with one for what it lacks to mount upon. */
  #withMountPoints({ points, mounts }: StepMounts): string[] {
    const { lowers } = this.#request.rootfs;
    const layer = join(containerPaths(this.#context.paths, this.id).directory, 'mount-points');
    const made = makeMountPoints(lowers, [...ownPoints(), ...points], layer);
    // A new file system takes the mode of what it is mounted upon; a place that was just made has none to keep.
    for (const mount of mounts)
      if (mount.type === 'tmpfs' && made.some(({ path }) => path === mount.destination))
        mount.options = [...(mount.options ?? []), 'mode=1777'];
    return made.length === 0 ? lowers : [layer, ...lowers];
  }

  async #wire({ networkFd, netlinkFd }: PreparedSandbox): Promise<void> {
    const { network, networks } = this.#context;
    if (networkFd === undefined || netlinkFd === undefined) return;
    const [settings] = endpointSettings({ settings: this.#settings });
    const definition = settings && networks.find(settings.network).definition;
    if (settings === undefined || definition === undefined) return;
    await network.ensure(definition);
    const endpoint: EndpointView = await network.connect(
      definition,
      { containerId: this.id, networkFd, netlinkFd },
      { ...settings, endpointId: newId(), containerName: this.id },
    );
    this.#undo.push(() => network.disconnect(definition, endpoint, { sandboxGone: true }));
    const rates = this.#settings.limits.network;
    if (rates !== undefined) await network.limitRates(endpoint, rates);
    writeHosts(this.#context, this.#owner(), [endpoint]);
  }

  #owner() {
    const { files } = containerPaths(this.#context.paths, this.id);
    return { id: this.id, settings: this.#settings, files };
  }

  /** A process that fails at a limit which was reached has met it, for all that anybody can know. */
  #limitThatEnded(exitCode: number, cgroup: Cgroup): Pick<StepResult, 'endedByLimit'> {
    if (exitCode === 0) return {};
    if (cgroup.oomKills() > 0) return { endedByLimit: 'memory' };
    if (cgroup.usage().pids.refusals > 0) return { endedByLimit: 'pids' };
    return hasFreeSpace(this.#request.rootfs.upper, almostNoBytes) ? {} : { endedByLimit: 'disk' };
  }
}

/** Where the runtime mounts in every container. What lies inside another of its mounts needs no place in the layer. */
function ownPoints(): MountPoint[] {
  const directories = defaultMounts()
    .map(({ destination }) => destination)
    .filter((path) => path.lastIndexOf('/') === 0);
  return [
    ...directories.map((path) => ({ path, kind: 'directory' as const })),
    ...mountedFiles.map((path) => ({ path, kind: 'file' as const })),
  ];
}

const asFailure = (error: unknown) => ({ error });

function killOrIgnore(process: RunningProcess): void {
  try {
    process.signal(SIGKILL);
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof CortenError && error.kind === 'conflict')) throw error;
  }
}
