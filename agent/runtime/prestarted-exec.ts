/**
 * An exec that is prepared when it is created, a moment before a client starts it. A warm shim gets
 * the plan and stops before it makes its child, so nothing of it is in the container yet.
 */
import { closeSync, writeSync } from 'node:fs';
import { hasErrno } from '../kernel/libc.ts';
import { makePipe } from '../kernel/pipe.ts';
import { execShimConfig, execSteps, idsOf, openContainer } from './exec.ts';
import type { Step } from './plan.ts';
import { reapInBackground } from './reap.ts';
import type { ShimProcess } from './running-process.ts';
import type { ExecRequest, PrestartedExec, ProcessHandle, ProcessStdio } from './runtime.ts';
import type { ShimStarter } from './shim.ts';
import { awaitStart, processOf, type SpawnedShim, spawnShim } from './start-process.ts';
import { execPipes, type StdioPlan } from './stdio.ts';

/**
 * Returns undefined without a warm shim, and for terminals, whose size is known only at the start.
 */
export function prestartExec(
  starter: ShimStarter,
  container: ProcessHandle,
  request: ExecRequest,
): PrestartedShimExec | undefined {
  if (!starter.hasWarmShim || request.process.terminal) return undefined;
  const pidfd = openContainer(container);
  try {
    return new PrestartedShimExec(starter, container.pid, pidfd, request);
  } finally {
    closeSync(pidfd);
  }
}

class PrestartedShimExec implements PrestartedExec {
  readonly #starter: ShimStarter;
  readonly #runDirectory: string;
  readonly #stdio: StdioPlan;
  readonly #steps: readonly Step[];
  readonly #shim: SpawnedShim;
  readonly #gateFd: number;

  constructor(starter: ShimStarter, pid: number, pidfd: number, request: ExecRequest) {
    const { runDirectory } = request;
    const descriptors = starter.descriptors();
    const containerFd = descriptors.add(pidfd);
    const ids = idsOf(pid, pidfd);
    const gate = makePipe();
    const stdio = execPipes(request.openStdin, descriptors);
    try {
      const shimConfig = {
        ...execShimConfig(request, containerFd, descriptors),
        gate: descriptors.add(gate.readFd),
      };
      this.#steps = execSteps(request, { fd: containerFd, ids }, stdio, descriptors);
      this.#shim = spawnShim(starter, {
        runDirectory,
        descriptors,
        shimConfig,
        steps: this.#steps,
      });
    } catch (error) {
      closeSync(gate.writeFd);
      stdio.closeAgentEnds();
      throw error;
    } finally {
      closeSync(gate.readFd);
      stdio.closeShimEnds();
    }
    this.#starter = starter;
    this.#runDirectory = runDirectory;
    this.#stdio = stdio;
    this.#gateFd = gate.writeFd;
  }

  async finish(meanwhile?: (stdio: ProcessStdio) => void): Promise<ShimProcess | undefined> {
    const runDirectory = this.#runDirectory;
    const plan = { runDirectory, steps: this.#steps };
    this.#openGate();
    meanwhile?.(this.#stdio.agent);
    try {
      // A shim killed at its gate has done nothing, so the exec can be started again.
      const started = await awaitStart(this.#starter, plan, { ...this.#shim, wasWarm: true });
      if (started !== undefined) return processOf({ runDirectory, stdio: this.#stdio }, started);
      this.#stdio.closeAgentEnds();
      return undefined;
    } catch (error) {
      this.#stdio.closeAgentEnds();
      throw error;
    }
  }

  #openGate(): void {
    try {
      writeSync(this.#gateFd, '.');
    } catch (error) {
      // The shim was killed, which its `alive` FIFO reports.
      if (!hasErrno(error, 'EPIPE')) throw error;
    } finally {
      closeSync(this.#gateFd);
    }
  }

  /** Resolves when the shim has ended. */
  async discard(): Promise<void> {
    closeSync(this.#gateFd);
    this.#stdio.closeAgentEnds();
    await this.#shim.alive.ended;
    reapInBackground(this.#shim.shimPid);
    this.#starter.startWarmShimSoon();
  }
}
