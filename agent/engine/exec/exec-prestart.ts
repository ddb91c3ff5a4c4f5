/**
 * Prepares the most recently created exec, because clients start an exec a moment after they create
 * it. Only one is prepared at a time and it is discarded soon, since its facts about the container
 * get stale.
 */
import { closePlacement } from '../../cgroup/placement.ts';
import type { ExecRequest, PrestartedExec, Runtime } from '../../runtime/runtime.ts';
import type { RunningContainer } from '../containers/running-containers.ts';
import type { EngineContext } from '../context.ts';
import { removeRunDirectory } from '../run-directory.ts';

/**
 * How long a prepared exec is kept. The client's start request follows within milliseconds, or a
 * few hundred of them over a slow connection.
 */
const patienceMs = 300;

interface PrestartContext extends Pick<EngineContext, 'report'> {
  runtime: Pick<Runtime, 'prestartExec'>;
}

interface Prestarted {
  id: string;
  live: RunningContainer;
  exec: PrestartedExec;
  runDirectory: string;
  timer: NodeJS.Timeout;
}

export class ExecPrestarter {
  readonly #context: PrestartContext;
  #prestarted: Prestarted | undefined;

  constructor(context: PrestartContext) {
    this.#context = context;
  }

  /**
   * Does nothing while another exec is prepared. Errors are ignored here, because the start reports
   * them.
   */
  begin(
    id: string,
    live: RunningContainer,
    requestOf: (placement: ExecRequest['placement']) => ExecRequest,
  ): void {
    if (this.#prestarted !== undefined) return;
    let placement: ExecRequest['placement'] = { procsFds: [] };
    try {
      placement = live.cgroup.placement({ beside: live.process.pid });
      const request = requestOf(placement);
      const exec = this.#context.runtime.prestartExec(live.process, request);
      if (exec === undefined) return;
      const timer = setTimeout(() => this.#drop(), patienceMs).unref();
      this.#prestarted = { id, live, exec, runDirectory: request.runDirectory, timer };
    } catch {
      // The start does all of this again and reports its failure.
    } finally {
      closePlacement(placement);
    }
  }

  /**
   * Returns the prepared exec, which the caller finishes. The container may have been restarted, so
   * its process must be the same.
   */
  take(id: string, live: RunningContainer): PrestartedExec | undefined {
    const prestarted = this.#prestarted;
    if (prestarted?.id !== id) return undefined;
    if (prestarted.live !== live) {
      this.#drop();
      return undefined;
    }
    this.#forget(prestarted);
    return prestarted.exec;
  }

  close(): void {
    this.#drop();
  }

  #forget({ timer }: Prestarted): void {
    clearTimeout(timer);
    this.#prestarted = undefined;
  }

  #drop(): void {
    const prestarted = this.#prestarted;
    if (prestarted === undefined) return;
    this.#forget(prestarted);
    const { runDirectory, exec } = prestarted;
    exec.discard().then(
      () => removeRunDirectory(runDirectory, this.#context.report),
      (error) => this.#context.report('give up an exec that nobody started', error),
    );
  }
}
