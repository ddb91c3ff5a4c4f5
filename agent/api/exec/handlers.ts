/** Handlers of exec: create, start, inspect and resize. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CortenError, conflict, invalid } from '../../errors.ts';
import type { Attachment } from '../containers/backend.ts';
import { terminalSize } from '../containers/lifecycle.ts';
import { defaultDetachKeys, parseDetachKeys } from '../detach-keys.ts';
import type { Fields } from '../fields.ts';
import { frame } from '../frames.ts';
import { converse, finish, hijack } from '../hijack.ts';
import { readJson, readOptionalJson } from '../json-body.ts';
import { pathPart } from '../query.ts';
import type { ExecBackend, ExecSettings, ExecView } from './backend.ts';

export async function create(
  exec: ExecBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object> {
  const settings = readExecSettings(await readJson(request));
  const id = await exec.create(pathPart(request, 'id'), settings);
  reply.code(201);
  return { Id: id };
}

/**
 * With Detach it sends an ordinary reply, otherwise the connection carries the process's streams. An error of the
 * command is written into the stream, as in dockerd: the CLI then reads 126 or 127 from inspect.
 */
export async function start(
  exec: ExecBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<string | undefined> {
  const body = await readOptionalJson(request);
  const detach = body.flag('Detach') ?? false;
  const size = readConsoleSize(body);
  const view = exec.inspect(pathPart(request, 'id'));
  if (view.running) throw conflict(`Error: Exec command ${view.id} is already running`);
  if (view.exitCode !== undefined) throw conflict(`Error: Exec command ${view.id} has already run`);
  if (detach) {
    await exec.start(view.id, { detach, size });
    return '';
  }
  const { terminal } = view.settings;
  const started = await startOrRefusal(exec, view.id, size);
  const socket = hijack(request, reply, terminal);
  if (started instanceof CortenError) {
    const data = Buffer.from(`${started.message}\r\n`);
    socket.write(terminal ? data : frame({ stream: 'stdout', data }));
    finish(socket);
    return undefined;
  }
  await converse(socket, started, { framed: !terminal, detachKeys: detachKeysOf(view) });
  return undefined;
}

/** A refused command is returned as `invalid`; every other error (not running, gone) is thrown. */
async function startOrRefusal(
  exec: ExecBackend,
  id: string,
  size: { rows: number; columns: number } | undefined,
): Promise<Attachment | CortenError> {
  try {
    const attachment = await exec.start(id, { detach: false, size });
    return attachment ?? new CortenError('internal', `exec ${id} started without its streams`);
  } catch (error) {
    if (error instanceof CortenError && error.kind === 'invalid') return error;
    throw error;
  }
}

export async function inspect(exec: ExecBackend, request: FastifyRequest): Promise<object> {
  const view = exec.inspect(pathPart(request, 'id'));
  const [entrypoint = '', ...commandArguments] = view.settings.command;
  return {
    ID: view.id,
    Running: view.running,
    ExitCode: view.exitCode ?? null,
    ProcessConfig: {
      tty: view.settings.terminal,
      entrypoint,
      arguments: commandArguments,
      privileged: view.settings.privileged,
      ...(view.settings.user === undefined ? {} : { user: view.settings.user }),
    },
    OpenStdin: view.settings.stdin,
    OpenStderr: view.settings.stderr,
    OpenStdout: view.settings.stdout,
    CanRemove: false,
    ContainerID: view.containerId,
    DetachKeys: view.settings.detachKeys ?? '',
    Pid: view.pid,
  };
}

export async function resize(exec: ExecBackend, request: FastifyRequest): Promise<string> {
  const { rows, columns } = terminalSize(request);
  await exec.resize(pathPart(request, 'id'), rows, columns);
  return '';
}

function readExecSettings(body: Fields): ExecSettings {
  const command = body.words('Cmd') ?? [];
  if (command.length === 0) throw invalid('No exec command specified');
  const workingDirectory = body.filled('WorkingDir');
  const detachKeys = body.filled('DetachKeys');
  if (detachKeys !== undefined) parseDetachKeys(detachKeys);
  return {
    command,
    env: body.texts('Env') ?? [],
    workingDirectory,
    user: body.filled('User'),
    privileged: body.flag('Privileged') ?? false,
    terminal: body.flag('Tty') ?? false,
    stdin: body.flag('AttachStdin') ?? false,
    stdout: body.flag('AttachStdout') ?? false,
    stderr: body.flag('AttachStderr') ?? false,
    detachKeys,
  };
}

/** Reads Docker's `[rows, columns]`. */
function readConsoleSize(body: Fields): { rows: number; columns: number } | undefined {
  const size = body.integers('ConsoleSize');
  const [rows = 0, columns = 0] = size ?? [];
  return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}

function detachKeysOf({ settings }: ExecView): Buffer | undefined {
  return settings.terminal ? parseDetachKeys(settings.detachKeys ?? defaultDetachKeys) : undefined;
}
