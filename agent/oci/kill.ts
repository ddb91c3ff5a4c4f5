/** `kill`: sends a signal to a container's process, or to all of them. */
import { conflict } from '../errors.ts';
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

/** Also what a container that shares its pid namespace has left behind. */
function killAll(container: Container, signal: number): number {
  const cgroup = container.cgroup();
  if (signal === SIGKILL) cgroup.kill();
  else for (const pid of cgroup.processes()) process.kill(pid, signal);
  return 0;
}
