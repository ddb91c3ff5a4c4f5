/** The verb `create`: creates the container up to the execution of its program. */
import { closeSync, constants, openSync } from 'node:fs';
import type { Cgroup } from '../cgroup/cgroup.ts';
import { detectCgroupDriver } from '../cgroup/detect.ts';
import { withPlacement } from '../cgroup/placement.ts';
import type { OciSpec } from '../contract/oci-runtime.ts';
import { CortenError } from '../errors.ts';
import { readPidInside } from '../kernel/procfs.ts';
import { createDetached } from '../runtime/detached.ts';
import { readPids } from '../runtime/run-directory.ts';
import { type Bundle, checkRootfs, readBundle } from './bundle.ts';
import { cgroupPlace } from './cgroup-path.ts';
import { type Call, type Options, onlyIdOf, textOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';
import { destroy } from './delete.ts';
import { withHome } from './home-variable.ts';
import { runHooks, runHooksInside } from './hooks.ts';
import { joinRdtPlace, makeRdtPlace, resctrlRoot } from './intel-rdt.ts';
import {
  checkConsole,
  handTerminalOver,
  type ProcessPlace,
  processOptions,
  processPlace,
  writePidFile,
} from './process-options.ts';
import { withReadiness } from './readiness.ts';
import { applyOtherLimits, deviceRulesOf, limitsOf } from './resources.ts';
import { extrasOf } from './rights.ts';
import { listenerOf } from './seccomp-listener.ts';

export const createOptions = {
  bundle: { type: 'string', short: 'b', default: '.' },
  config: { type: 'string', short: 'f' },
  'no-pivot': { type: 'boolean' },
  'no-new-keyring': { type: 'boolean' },
  ...processOptions,
} as const satisfies Options;

export function createVerb(context: Context): Verb {
  return {
    takes: '<id>',
    about: 'create a container; its program waits for start',
    options: createOptions,
    async run(call) {
      await createContainer(context, call, { detached: true });
      return 0;
    },
  };
}

export interface Created {
  container: Container;
  /** Descriptor of its terminal, unless `--console-socket` got it. */
  terminalFd: number | undefined;
}

export async function createContainer(
  context: Context,
  call: Call,
  { detached }: { detached: boolean },
): Promise<Created> {
  const id = onlyIdOf(call);
  const place = processPlace(call, context.log.warn);
  const directory = textOf(call, 'bundle') ?? '.';
  const bundle = readBundle(directory, context.log.warn, textOf(call, 'config'));
  const { spec, rootfs, hasProcess } = bundle.config;
  checkRootfs(rootfs);
  checkConsole(spec.process.terminal, place.consoleSocket, detached);
  const record = {
    id,
    bundle: bundle.path,
    rootfs,
    createdAt: new Date().toISOString(),
    annotations: spec.annotations ?? {},
    cgroup: cgroupPlace(spec.linux.cgroupsPath, id),
    ownsCgroup: false,
    creating: true,
    hasProcess,
    keepsKeyring: call.values['no-new-keyring'] === true,
  };
  const lock = await context.store.make(record, bundle.text);
  const container = new Container(context.store, record);
  try {
    return await build(context, container, bundle, place, call.values['no-pivot'] === true);
  } catch (error) {
    await destroy(context, container, spec.hooks);
    throw error;
  } finally {
    lock.release();
  }
}

async function build(
  context: Context,
  container: Container,
  { config }: Bundle,
  place: ProcessPlace,
  noPivot: boolean,
): Promise<Created> {
  const { record } = container;
  const { rootfs } = config;
  const spec = withReadiness(config.spec, container, process.env, context.log.warn);
  const cgroup = makeCgroup(context, container, spec);
  makeRdt(context, container, spec);
  const first = withHome(spec.process, rootfs);
  const fifos = [container.gatePath, container.reportsPath].map((path) =>
    openSync(path, constants.O_RDWR),
  ) as [number, number];
  try {
    const { pid, terminalFd } = await withPlacement(cgroup, async (placement) =>
      createDetached(await context.tools(), {
        spec: { ...spec, process: { ...first, env: [...first.env, ...place.preservedFds.env] } },
        rootfs: { kind: 'directory', path: rootfs },
        cgroupPaths: cgroup.paths,
        placement,
        runDirectory: container.directory,
        stdioFds: [0, 1, 2],
        start: { gateFd: fifos[0], reportsFd: fifos[1] },
        preservedFds: place.preservedFds.fds,
        hooks: hooksBeforePivot(context, container, spec),
        listener: listenerOf(spec.linux.seccomp, container, () => 'creating'),
        noPivot,
        extras: extrasOf(spec, record),
      }),
    );
    await noteProcess(context, container, pid);
    if (record.rdt !== undefined) joinRdtPlace(record.rdt, pid);
    if (!container.isAlive())
      throw new CortenError('internal', "the container's process was ended while it was made");
    if (place.pidFile !== undefined) writePidFile(place.pidFile, pid);
    record.creating = false;
    context.store.save(record);
    if (terminalFd === undefined || place.consoleSocket === undefined)
      return { container, terminalFd };
    handTerminalOver(terminalFd, place.consoleSocket);
    return { container, terminalFd: undefined };
  } finally {
    for (const fd of fifos) closeSync(fd);
  }
}

function makeCgroup(
  { store }: Context,
  { record }: Container,
  { linux: { resources = {} } }: OciSpec,
): Cgroup {
  const { parent, name } = record.cgroup;
  const driver = detectCgroupDriver({ parent });
  const limits = limitsOf(resources);
  driver.check(limits);
  const cgroup = driver.create(name, limits, deviceRulesOf(resources));
  // This must be recorded before any process can run in it.
  record.ownsCgroup = true;
  store.save(record);
  applyOtherLimits(cgroup, resources);
  return cgroup;
}

function makeRdt(
  { store }: Context,
  { record }: Container,
  { linux: { intelRdt } }: OciSpec,
): void {
  if (intelRdt === undefined) return;
  record.rdt = makeRdtPlace(resctrlRoot(), intelRdt, record.id);
  store.save(record);
}

/** Hooks that run before pivot_root; `undefined` without any, because the process would have to wait for them. */
function hooksBeforePivot(context: Context, container: Container, { hooks }: OciSpec) {
  const any = [hooks?.prestart, hooks?.createRuntime, hooks?.createContainer].some(
    (list) => list !== undefined && list.length > 0,
  );
  if (!any) return undefined;
  return async (pid: number) => {
    await noteProcess(context, container, pid);
    // The status is `created`, because step 2 of the life cycle is over at steps 3 to 5 (runtime.md, "State").
    const occasion = { hooks, container, status: 'created' } as const;
    runHooks({ ...occasion, name: 'prestart' });
    runHooks({ ...occasion, name: 'createRuntime' });
    await runHooksInside({ ...occasion, name: 'createContainer' }, await context.tools());
  };
}

async function noteProcess(
  { store, tools }: Context,
  { record, directory }: Container,
  pid: number,
) {
  const pids = readPids(directory);
  if (pids?.childPid !== pid)
    throw new CortenError('internal', `the start time of process ${pid} was not written down`);
  record.process = { pid, startTime: String(pids.childStartTime) };
  record.pidInside = readPidInside((await tools()).procFd, pid);
  store.save(record);
}
