/** The verb `state`: prints the document of runtime.md, "State". */
import { onlyIdOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';
import { print } from './print.ts';

export function stateVerb({ store }: Context): Verb {
  return {
    takes: '<id>',
    about: "print a container's state as JSON",
    options: {},
    run(call) {
      print(JSON.stringify(Container.open(store, onlyIdOf(call)).state(), null, 2));
      return 0;
    },
  };
}
