/** The verb `kill`: sends a signal to a container's process, or to all of its processes. */
import { conflict } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { parseSignal } from '../kernel/signals.ts';
import { idOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';

const SIGKILL = 9;

export function killVerb({ store }: Context): Verb {
  return {
    takes: '<id> [signal]',
    about: "send a signal to a container's process (default TERM)",
    options: { all: { type: 'boolean', short: 'a' } },
    run(call) {
      const container = Container.open(store, idOf(call));
      const signal = parseSignal(call.words[1] ?? 'TERM');
      const status = container.status();
      if (call.values.all) return killAll(container, signal);
      if (status === 'creating' || status === 'stopped')
        throw conflict(`container "${container.id}" is ${status}; there is nothing to signal`);
      container.signal(signal);
      return 0;
    },
  };
}

/** Signals all processes, including those that a container with a shared PID namespace left behind. */
function killAll(container: Container, signal: number): number {
  if (!container.record.ownsCgroup)
    throw conflict(`container "${container.id}" has no control group; delete it`);
  const cgroup = container.cgroup();
  if (signal === SIGKILL) cgroup.kill();
  // The cgroup is frozen first, so that no PID is reused meanwhile.
  else
    cgroup.whileFrozen(() => {
      for (const pid of cgroup.processes()) signalIfAny(pid, signal);
    });
  return 0;
}

/** Signals a process if it exists. On v2 a frozen process can still be killed. */
function signalIfAny(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}
