/** One more process inside a running container. */
import type { Attachment } from '../../api/containers/backend.ts';
import type { ExecBackend, ExecSettings } from '../../api/exec/backend.ts';
import type { CgroupPlacement } from '../../cgroup/cgroup.ts';
import { withPlacement } from '../../cgroup/placement.ts';
import { conflict, invalid } from '../../errors.ts';
import type { ExecRequest, RunningProcess } from '../../runtime/runtime.ts';
import { StartError } from '../../runtime/start-error.ts';
import type { RunningContainer } from '../containers/running-containers.ts';
import type { EngineContext } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import { newId } from '../ids.ts';
import { execRunDirectory } from '../paths.ts';
import { removeRunDirectory } from '../run-directory.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { inputRelay, ProcessInput } from '../streams/process-input.ts';
import type { ExecPrestarter } from './exec-prestart.ts';
import { execProcess } from './exec-process.ts';
import { finishPrestarted, openStdio, type RunningExec } from './exec-stdio.ts';
import type { ExecRecord, ExecTable } from './exec-table.ts';

export type ExecContext = Pick<
  EngineContext,
  'paths' | 'containers' | 'live' | 'runtime' | 'events' | 'report' | 'idleQueue'
> & { execs: ExecTable; prestarter: ExecPrestarter };

export function createExecBackend(context: ExecContext): ExecBackend {
  return {
    create: (container, settings) => createExec(context, container, settings),
    start: (id, options) => startExec(context, id, options),
    inspect: (id) => {
      const { containerId, settings, running, exitCode, pid, ...record } = context.execs.find(id);
      return { id: record.id, containerId, settings, running, exitCode, pid };
    },
    idsOf: (containerId) => context.execs.openOf(containerId),
    resize: async (id, rows, columns) => {
      const record = context.execs.find(id);
      record.size = { rows, columns };
      record.process?.resize(rows, columns);
    },
  };
}

async function createExec(
  context: ExecContext,
  reference: string,
  settings: ExecSettings,
): Promise<string> {
  const container = context.containers.find(reference);
  const live = requireRunning(context, container);
  if (settings.command.length === 0) throw invalid('No exec command specified');
  const id = newId();
  context.execs.add(id, container.id, settings);
  emitContainerEvent(context.events, container, `exec_create: ${settings.command.join(' ')}`, {
    execID: id,
  });
  const record = context.execs.find(id);
  // The exec is prepared after the reply is sent.
  setImmediate(() => {
    if (!record.started && context.live.get(container.id) === live)
      context.prestarter.begin(id, live, (placement) =>
        requestOf(context, record, container, live, placement),
      );
  });
  return id;
}

/** Throws conflict with Docker's message when the container cannot run an exec. */
function requireRunning(
  { live }: Pick<EngineContext, 'live'>,
  { id, state }: ContainerRecord,
): RunningContainer {
  const running = live.get(id);
  if (state.status === 'restarting')
    throw conflict(`Container ${id} is restarting, wait until the container is running`);
  if (running === undefined) throw conflict(`Container ${id} is not running`);
  if (state.status === 'paused')
    throw conflict(`Container ${id} is paused, unpause the container before exec`);
  return running;
}

async function startExec(
  context: ExecContext,
  id: string,
  { detach, size }: { detach: boolean; size?: { rows: number; columns: number } },
): Promise<Attachment | undefined> {
  const record = context.execs.find(id);
  const container = context.containers.require(record.containerId);
  const live = requireRunning(context, container);
  context.execs.begin(record);
  record.size = size ?? record.size;
  emitContainerEvent(
    context.events,
    container,
    `exec_start: ${record.settings.command.join(' ')}`,
    {
      execID: record.id,
    },
  );
  let ran: RunningExec;
  try {
    ran = await run(context, record, container, live);
  } catch (error) {
    context.execs.end(record, error instanceof StartError ? error.exitCode : 126);
    removeRunDirectory(execRunDirectory(context.paths, container.id, record.id), context.report);
    if (detach || !(error instanceof StartError)) throw error;
    // dockerd reports this error in the stream of an attached client; the exit code is in inspect.
    return failedAttachment(record.settings.terminal, error.message);
  }
  const { process, stdio } = ran;
  record.running = true;
  record.pid = process.pid;
  record.process = process;
  stdio.exited.resolve(watchExecExit(context, record, process));
  return attachExec(record, ran, detach);
}

async function run(
  context: ExecContext,
  record: ExecRecord,
  container: ContainerRecord,
  live: RunningContainer,
): Promise<RunningExec> {
  const prestarted = await finishPrestarted(context.prestarter.take(record.id, live));
  if (prestarted !== undefined) return prestarted;
  const process = await withPlacement(
    live.cgroup,
    (placement) =>
      context.runtime.exec(live.process, requestOf(context, record, container, live, placement)),
    { beside: live.process.pid },
  );
  return { process, stdio: openStdio(process.stdio) };
}

function requestOf(
  { paths }: Pick<ExecContext, 'paths'>,
  { id, settings, size }: ExecRecord,
  container: ContainerRecord,
  live: RunningContainer,
  placement: CgroupPlacement,
): ExecRequest {
  return {
    ...execProcess(container, live, { ...settings, ...(size && { size }) }),
    runDirectory: execRunDirectory(paths, container.id, id),
    placement,
    openStdin: settings.stdin,
  };
}

/** Resolves once the exit code is known. */
async function watchExecExit(
  context: ExecContext,
  record: ExecRecord,
  process: RunningProcess,
): Promise<void> {
  const { exitCode } = await process.exited;
  context.execs.end(record, exitCode);
  const container = context.containers.get(record.containerId);
  if (container !== undefined)
    emitContainerEvent(context.events, container, 'exec_die', {
      execID: record.id,
      exitCode: String(exitCode),
    });
  const directory = execRunDirectory(context.paths, record.containerId, record.id);
  void process.settled.then(() =>
    context.idleQueue.add(directory, `remove ${directory}`, () =>
      removeRunDirectory(directory, context.report),
    ),
  );
}

function attachExec(
  { settings }: ExecRecord,
  { process, stdio: { streams, output, exited } }: RunningExec,
  detach: boolean,
): Attachment | undefined {
  const input =
    streams.stdin &&
    new ProcessInput(streams.stdin, settings.terminal ? undefined : () => process.closeStdin());
  exited.promise.then(() => {
    if (!settings.terminal) input?.close();
  });
  if (detach) {
    output.abandon();
    input?.end();
    return undefined;
  }
  return {
    terminal: settings.terminal,
    stdin:
      settings.stdin && input ? inputRelay(Promise.resolve(input), { endsInput: true }) : undefined,
    output,
    // When the client leaves, the process continues and its output is dropped.
    close: () => output.abandon(),
  };
}

function failedAttachment(terminal: boolean, message: string): Attachment {
  return {
    terminal,
    stdin: undefined,
    output: (async function* () {
      yield { stream: 'stdout' as const, data: Buffer.from(`${message}\r\n`) };
    })(),
    close: () => {},
  };
}
