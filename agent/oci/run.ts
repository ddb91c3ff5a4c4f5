/** The verb `run`: creates and starts a container and, unless detached, waits and deletes it. */
import { type Options, textOf, type Verb } from './command-line.ts';
import type { Context } from './context.ts';
import { createContainer, createOptions } from './create.ts';
import { deleteContainer } from './delete.ts';
import { Foreground } from './foreground.ts';
import type { Readiness } from './readiness.ts';
import { startContainer } from './start.ts';

const runOptions = {
  ...createOptions,
  detach: { type: 'boolean', short: 'd' },
  keep: { type: 'boolean' },
} as const satisfies Options;

export function runVerb(context: Context): Verb {
  return {
    takes: '<id>',
    about: 'create, start, wait and delete',
    options: runOptions,
    async run(call) {
      const detached = call.values.detach === true;
      const foreground = detached ? undefined : new Foreground();
      const { container, terminalFd } = await createContainer(context, call, {
        detached: detached && textOf(call, 'console-socket') === undefined,
      });
      const { id, process } = container.record;
      let readiness: Readiness | undefined;
      try {
        readiness = await startContainer(context, container);
      } catch (error) {
        // Nobody else deletes a container that `run` could not start.
        await deleteContainer(context, id, true);
        throw error;
      }
      if (foreground === undefined || process === undefined) {
        await readiness?.pass({ thenLeaves: true });
        return 0;
      }
      const passing = readiness?.pass({ thenLeaves: false });
      const code = await foreground.wait(process.pid, terminalFd);
      await passing;
      if (!call.values.keep) await deleteContainer(context, id, true);
      return code;
    },
  };
}
