/**
 * The exec that was made last, begun: whoever makes one starts it a moment later, and the way there and back is time
 * in which nobody waits. One at a time, and not for long, since what it was told of the container grows old.
 */
import { closePlacement } from '../../cgroup/placement.ts';
import type { BegunExec, ExecRequest, Runtime } from '../../runtime/runtime.ts';
import type { LiveContainer } from '../containers/live-containers.ts';
import type { EngineContext } from '../context.ts';
import { removeRunDirectory } from '../run-directory.ts';

/** A client's next request comes within milliseconds, over a slow line within a few hundred. */
const patienceMs = 300;

interface AheadContext extends Pick<EngineContext, 'report'> {
  runtime: Pick<Runtime, 'beginExec'>;
}

interface Begun {
  id: string;
  live: LiveContainer;
  exec: BegunExec;
  runDirectory: string;
  timer: NodeJS.Timeout;
}

export class ExecAhead {
  readonly #context: AheadContext;
  #begun: Begun | undefined;

  constructor(context: AheadContext) {
    this.#context = context;
  }

  /** Does nothing while another is begun. What is wrong with the request its start will say. */
  begin(
    id: string,
    live: LiveContainer,
    requestOf: (placement: ExecRequest['placement']) => ExecRequest,
  ): void {
    if (this.#begun !== undefined) return;
    let placement: ExecRequest['placement'] = { procsFds: [] };
    try {
      placement = live.cgroup.placement({ beside: live.process.pid });
      const request = requestOf(placement);
      const exec = this.#context.runtime.beginExec(live.process, request);
      if (exec === undefined) return;
      const timer = setTimeout(() => this.#drop(), patienceMs).unref();
      this.#begun = { id, live, exec, runDirectory: request.runDirectory, timer };
    } catch {
      // Its start does all of it again, and fails to somebody who can be told.
    } finally {
      closePlacement(placement);
    }
  }

  /** For the caller to finish; of the same process of the container, since it may have been restarted. */
  take(id: string, live: LiveContainer): BegunExec | undefined {
    const begun = this.#begun;
    if (begun?.id !== id) return undefined;
    if (begun.live !== live) {
      this.#drop();
      return undefined;
    }
    this.#forget(begun);
    return begun.exec;
  }

  close(): void {
    this.#drop();
  }

  #forget({ timer }: Begun): void {
    clearTimeout(timer);
    this.#begun = undefined;
  }

  #drop(): void {
    const begun = this.#begun;
    if (begun === undefined) return;
    this.#forget(begun);
    const { runDirectory, exec } = begun;
    exec.giveUp().then(
      () => removeRunDirectory(runDirectory, this.#context.report),
      (error) => this.#context.report('give up an exec that nobody started', error),
    );
  }
}
