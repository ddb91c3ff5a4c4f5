/** The verb `start`: makes the container's process execute its program. */
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { withPlacement } from '../cgroup/placement.ts';
import type { OciSpec } from '../contract/oci-runtime.ts';
import { conflict, invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { AliveWatch } from '../runtime/alive-watch.ts';
import { execFailure } from '../runtime/start-failure.ts';
import { parseConfig } from './bundle.ts';
import { onlyIdOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';
import { destroy } from './delete.ts';
import { runHooks, runHooksInside } from './hooks.ts';
import { openReadiness, type Readiness } from './readiness.ts';
import { rightsOf } from './rights.ts';

export function startVerb(context: Context): Verb {
  return {
    takes: '<id>',
    about: 'run the program of a created container',
    options: {},
    async run(call) {
      const container = Container.open(context.store, onlyIdOf(call));
      const readiness = await startContainer(context, container);
      await readiness?.pass({ thenLeaves: true });
      return 0;
    },
  };
}

/** Starts the container. Resolves with what the caller still waits for: its readiness, if anybody wants to know. */
export async function startContainer(
  context: Context,
  { id }: Container,
): Promise<Readiness | undefined> {
  const lock = await context.store.lock(id);
  let readiness: Readiness | undefined;
  try {
    const container = Container.open(context.store, id);
    const status = container.status();
    if (status !== 'created')
      throw conflict(`container "${id}" is ${status}; only one that is created can be started`);
    if (!container.record.hasProcess)
      throw invalid(
        `config.json of container "${id}" has no process, so there is nothing to start`,
      );
    const { spec } = parseConfig(context.store.configText(id), container.record.bundle, () => {});
    const occasion = { name: 'startContainer', hooks: spec.hooks, container, status } as const;
    await orDestroy(context, container, spec, () =>
      withPlacement(container.cgroup(), async (placement) =>
        runHooksInside(
          occasion,
          await context.tools(),
          rightsOf(container, spec, spec.process, placement),
        ),
      ),
    );
    readiness = openReadiness(container, process.env, context.log.warn);
    await execute(container, spec);
    await orDestroy(context, container, spec, async () =>
      runHooks({ name: 'poststart', hooks: spec.hooks, container, status: 'running' }),
    );
    return readiness;
  } catch (error) {
    readiness?.close();
    throw error;
  } finally {
    lock.release();
  }
}

/** A failing hook destroys the container (runtime.md, "Lifecycle", 7 and 9). */
async function orDestroy(
  context: Context,
  container: Container,
  { hooks }: OciSpec,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    await destroy(context, container, hooks);
    throw error;
  }
}

/** The process reports only failures: a successful execve closes its end of the FIFO. */
async function execute(container: Container, { process }: OciSpec): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const watch = new AliveWatch(openSync(container.reportsPath, flags));
  openGate(container);
  const report = await watch.report;
  watch.close();
  rmSync(container.reportsPath, { force: true });
  if (report?.kind === 'failed') throw execFailure(process.args[0] ?? '', report.errno);
}

function openGate({ id, gatePath }: Container): void {
  let fd: number;
  try {
    fd = openSync(gatePath, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    // Without a reader the process has been killed.
    if (hasErrno(error, 'ENXIO', 'ENOENT'))
      throw conflict(`container "${id}" has ended before it was started`, error);
    throw error;
  }
  try {
    writeSync(fd, '\n');
    rmSync(gatePath, { force: true });
  } finally {
    closeSync(fd);
  }
}
