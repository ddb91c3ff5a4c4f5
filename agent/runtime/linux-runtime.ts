/** The runtime for Linux: launcher thread, shims and run directories. */
import { closeSync } from 'node:fs';
import { getPriority } from 'node:os';
import { openProcfs } from '../kernel/procfs.ts';
import { exec } from './exec.ts';
import { launch } from './launch.ts';
import { LauncherClient } from './launcher-client.ts';
import { prestartExec } from './prestarted-exec.ts';
import { canPrestart, PrestartedProcess } from './prestarted-process.ts';
import { readopt } from './readopt.ts';
import type { ShimProcess } from './running-process.ts';
import type {
  ExecRequest,
  ExitRecord,
  LaunchRequest,
  PreparedSandbox,
  PrepareRequest,
  PrestartedExec,
  ProcessHandle,
  RunningProcess,
  Runtime,
} from './runtime.ts';
import { Sandbox } from './sandbox.ts';
import { changeTimeSlices, withTimeSlice } from './scheduling.ts';
import { ShimStarter } from './shim.ts';

export interface RuntimeOptions {
  /** The path of the shim's program (scripts/build-shim). */
  shimPath: string;
  /** See LauncherSettings. */
  networkFd?: number;
  /** How long the turns of containers on a processor are; absent: as long as the kernel's own. */
  sliceMicros?: number | undefined;
}

export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const procFd = openProcfs();
  const keepsWarmShim = options.networkFd === undefined;
  const starter = new ShimStarter(options.shimPath, procFd, { keepsWarmShim });
  return new LinuxRuntime(procFd, starter, options);
}

class LinuxRuntime implements Runtime {
  readonly #procFd: number;
  readonly #launcher: LauncherClient;
  readonly #starter: ShimStarter;
  readonly #running = new Set<ShimProcess>();
  readonly #sliceMicros: number | undefined;

  constructor(
    procFd: number,
    starter: ShimStarter,
    { networkFd, sliceMicros }: Pick<RuntimeOptions, 'networkFd' | 'sliceMicros'>,
  ) {
    this.#sliceMicros = sliceMicros;
    this.#procFd = procFd;
    this.#launcher = new LauncherClient({
      procFd,
      programFd: starter.programFd,
      nice: Math.min(0, getPriority()),
      ...(networkFd !== undefined && { networkFd }),
    });
    this.#starter = starter;
  }

  async prepare({
    makeSources,
    makeGroups,
    meanwhile,
    ...request
  }: PrepareRequest): Promise<PreparedSandbox> {
    let pending: PrestartedProcess | undefined;
    try {
      const sandbox = await this.#launcher.prepare(request, {
        ...{ makeSources, makeGroups },
        meanwhile: () => {
          const wanted = meanwhile?.();
          // While other starts wait for the launcher, prestarted processes would only compete with
          // it.
          if (wanted !== undefined && this.#launcher.underWay === 1 && canPrestart(wanted.spec))
            pending = new PrestartedProcess(this.#starter, this.#inTurns(wanted));
        },
      });
      sandbox.setPendingStart(pending);
      return sandbox;
    } catch (error) {
      await pending?.discard();
      throw error;
    }
  }

  async launch(sandbox: PreparedSandbox, request: LaunchRequest): Promise<RunningProcess> {
    if (!(sandbox instanceof Sandbox)) throw new TypeError('a sandbox of another runtime');
    return this.#watch(await launch(this.#starter, sandbox, this.#inTurns(request)));
  }

  #inTurns(request: LaunchRequest): LaunchRequest {
    const process = withTimeSlice(request.spec.process, this.#sliceMicros);
    return { ...request, spec: { ...request.spec, process } };
  }

  async exec(container: ProcessHandle, request: ExecRequest): Promise<RunningProcess> {
    const process = withTimeSlice(request.process, this.#sliceMicros);
    return this.#watch(await exec(this.#starter, this.#procFd, container, { ...request, process }));
  }

  prestartExec(container: ProcessHandle, request: ExecRequest): PrestartedExec | undefined {
    const process = withTimeSlice(request.process, this.#sliceMicros);
    const prestarted = prestartExec(this.#starter, container, { ...request, process });
    return (
      prestarted && {
        finish: async (meanwhile) => {
          const running = await prestarted.finish(meanwhile);
          return running && this.#watch(running);
        },
        discard: () => prestarted.discard(),
      }
    );
  }

  async readopt(runDirectory: string): Promise<RunningProcess | ExitRecord | undefined> {
    const found = readopt(runDirectory);
    return found !== undefined && 'signal' in found && typeof found.signal === 'function'
      ? this.#watch(found as ShimProcess)
      : found;
  }

  setTimeSlice(processes: readonly number[], slice: 'default' | 'short'): void {
    if (this.#sliceMicros !== undefined) changeTimeSlices(processes, slice, this.#sliceMicros);
  }

  async close(): Promise<void> {
    for (const running of this.#running) running.release();
    await this.#launcher.close();
    this.#starter.close();
    closeSync(this.#procFd);
  }

  #watch(running: ShimProcess): ShimProcess {
    this.#running.add(running);
    void running.exited.then(() => this.#running.delete(running));
    return running;
  }
}
