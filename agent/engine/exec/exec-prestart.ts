/**
 * The exec that was made last, prestarted: whoever makes one starts it a moment later, and the way there and back is time
 * in which nobody waits. One at a time, and not for long, since what it was told of the container grows old.
 */
import { closePlacement } from '../../cgroup/placement.ts';
import type { ExecRequest, PrestartedExec, Runtime } from '../../runtime/runtime.ts';
import type { RunningContainer } from '../containers/running-containers.ts';
import type { EngineContext } from '../context.ts';
import { removeRunDirectory } from '../run-directory.ts';

/** A client's next request comes within milliseconds, over a slow line within a few hundred. */
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

  /** Does nothing while another is prestarted. What is wrong with the request its start will say. */
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
      // Its start does all of it again, and fails to somebody who can be told.
    } finally {
      closePlacement(placement);
    }
  }

  /** For the caller to finish; of the same process of the container, since it may have been restarted. */
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
