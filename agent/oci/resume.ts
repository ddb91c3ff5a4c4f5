/** The verb `resume`: resumes a paused container. */
import { conflict } from '../errors.ts';
import { onlyIdOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';

export function resumeVerb({ store }: Context): Verb {
  return {
    takes: '<id>',
    about: 'resume a paused container',
    options: {},
    run(call) {
      const container = Container.open(store, onlyIdOf(call));
      const status = container.status();
      if (status !== 'paused')
        throw conflict(`container "${container.id}" is ${status}, not paused`);
      container.cgroup().thaw();
      return 0;
    },
  };
}
