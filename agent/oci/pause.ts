/** The verb `pause`: freezes all processes of a running container. */
import { conflict } from '../errors.ts';
import { onlyIdOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';

export function pauseVerb({ store }: Context): Verb {
  return {
    takes: '<id>',
    about: 'freeze every process of a container',
    options: {},
    run(call) {
      const container = Container.open(store, onlyIdOf(call));
      const status = container.status();
      if (status !== 'running' && status !== 'created')
        throw conflict(`container "${container.id}" is ${status}; it cannot be paused`);
      container.cgroup().freeze();
      return 0;
    },
  };
}
