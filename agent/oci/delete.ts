/** The verb `delete`: removes a container that has ended. */
import type { OciHooks } from '../contract/oci-runtime.ts';
import { CortenError, conflict, invalid } from '../errors.ts';
import { parseConfig } from './bundle.ts';
import { onlyIdOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';
import { tryHooks } from './hooks.ts';
import { removeRdtPlace } from './intel-rdt.ts';

export function deleteVerb(context: Context): Verb {
  return {
    takes: '<id>',
    about: 'remove a container that is stopped',
    options: { force: { type: 'boolean', short: 'f' }, regex: { type: 'boolean', short: 'r' } },
    async run(call) {
      const force = call.values.force === true;
      const id = onlyIdOf(call);
      const failures: unknown[] = [];
      for (const one of call.values.regex ? matching(context, id) : [id]) {
        try {
          await deleteContainer(context, one, force);
        } catch (error) {
          // With --force a missing container is no error.
          if (!(force && isMissing(error))) failures.push(error);
        }
      }
      // A container that cannot be removed does not stop the others.
      const [first, ...others] = failures;
      for (const other of others) context.log.warn((other as Error).message);
      if (first !== undefined) throw first;
      return 0;
    },
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof CortenError && error.kind === 'not-found';
}

/** IDs that contain the pattern, as in crun. */
function matching({ store }: Context, pattern: string): string[] {
  let expression: RegExp;
  try {
    expression = new RegExp(pattern);
  } catch (error) {
    throw invalid(`--regex: ${(error as Error).message}`, error);
  }
  return store.list().filter((id) => expression.test(id));
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

/** Removes everything of a container in any state. Failing poststop hooks only warn. */
export async function destroy(
  { store, log }: Context,
  container: Container,
  hooks: OciHooks | undefined,
): Promise<void> {
  await container.end();
  if (container.record.rdt !== undefined) removeRdtPlace(container.record.rdt);
  store.remove(container.id);
  tryHooks({ name: 'poststop', hooks, container, status: 'stopped' }, log.warn);
}
