/** The runtime on Linux: launcher thread, shims, and what they leave in run directories. */
import { closeSync } from 'node:fs';
import { getPriority } from 'node:os';
import { openProcfs } from '../kernel/procfs.ts';
import { adopt } from './adopt.ts';
import { exec } from './exec.ts';
import { launch } from './launch.ts';
import { LauncherClient } from './launcher-client.ts';
import type { ShimProcess } from './running-process.ts';
import type {
  ExecRequest,
  ExitRecord,
  LaunchRequest,
  PreparedSandbox,
  PrepareRequest,
  ProcessHandle,
  RunningProcess,
  Runtime,
} from './runtime.ts';
import { Sandbox } from './sandbox.ts';
import { ShimStarter } from './shim.ts';

export interface RuntimeOptions {
  /** The shim's program, as scripts/build-shim makes it. */
  shimPath: string;
  /** See LauncherSettings. */
  networkFd?: number;
}

export async function createRuntime({ shimPath, networkFd }: RuntimeOptions): Promise<Runtime> {
  const procFd = openProcfs();
  const starter = new ShimStarter(shimPath, procFd, { keepsSpare: networkFd === undefined });
  return new LinuxRuntime(procFd, starter, networkFd);
}

class LinuxRuntime implements Runtime {
  readonly #procFd: number;
  readonly #launcher: LauncherClient;
  readonly #starter: ShimStarter;
  readonly #running = new Set<ShimProcess>();

  constructor(procFd: number, starter: ShimStarter, networkFd: number | undefined) {
    this.#procFd = procFd;
    this.#launcher = new LauncherClient({
      procFd,
      programFd: starter.programFd,
      nice: Math.min(0, getPriority()),
      ...(networkFd !== undefined && { networkFd }),
    });
    this.#starter = starter;
  }

  async prepare(request: PrepareRequest): Promise<PreparedSandbox> {
    return this.#launcher.prepare(request);
  }

  async launch(sandbox: PreparedSandbox, request: LaunchRequest): Promise<RunningProcess> {
    if (!(sandbox instanceof Sandbox)) throw new TypeError('a sandbox of another runtime');
    return this.#watch(await launch(this.#starter, sandbox, request));
  }

  async exec(container: ProcessHandle, request: ExecRequest): Promise<RunningProcess> {
    return this.#watch(await exec(this.#starter, this.#procFd, container, request));
  }

  async adopt(runDirectory: string): Promise<RunningProcess | ExitRecord | undefined> {
    const found = adopt(runDirectory);
    return found !== undefined && 'signal' in found && typeof found.signal === 'function'
      ? this.#watch(found as ShimProcess)
      : found;
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
