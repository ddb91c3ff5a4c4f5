/** `delete`: undoes what `create` did, for a container that has ended. */
import type { OciHooks } from '../contract/oci-runtime.ts';
import { CortenError, conflict } from '../errors.ts';
import { parseConfig } from './bundle.ts';
import { onlyIdOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';
import { tryHooks } from './hooks.ts';

export function deleteVerb(context: Context): Verb {
  return {
    takes: '<id>',
    about: 'remove a container that is stopped',
    options: { force: { type: 'boolean', short: 'f' } },
    async run(call) {
      const force = call.values.force === true;
      try {
        await deleteContainer(context, onlyIdOf(call), force);
      } catch (error) {
        // What is wanted is that there is none.
        if (!(force && error instanceof CortenError && error.kind === 'not-found')) throw error;
      }
      return 0;
    },
  };
}

export async function deleteContainer(context: Context, id: string, force: boolean): Promise<void> {
  const lock = await context.store.lock(id);
  try {
    const container = Container.open(context.store, id);
    const status = container.record.creating ? 'stopped' : container.status();
    if (status !== 'stopped' && !force)
      throw conflict(`container "${id}" is ${status}; stop it first, or use --force`);
    const { spec } = parseConfig(context.store.configText(id), container.record.bundle, () => {});
    await destroy(context, container, spec.hooks);
  } finally {
    lock.release();
  }
}

/** Whatever is left of it, in whatever state. The last hooks can only warn. */
export async function destroy(
  { store, log }: Context,
  container: Container,
  hooks: OciHooks | undefined,
): Promise<void> {
  await container.end();
  store.remove(container.id);
  tryHooks({ name: 'poststop', hooks, container, status: 'stopped' }, log.warn);
}
