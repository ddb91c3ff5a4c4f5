/** One more process in a running container, from its creation to its exit code. */
import { ownFailureCode } from '../failure.ts';
import type { Session } from '../session.ts';
import { converse } from './conversation.ts';
import { withNextStep } from './each-container.ts';
import type { Engine } from './engine.ts';

/** What an exec is created with, in the API's fields. */
export interface ExecOptions {
  Cmd: string[];
  Tty: boolean;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  Env?: string[];
  User?: string;
  WorkingDir?: string;
  Privileged?: boolean;
  /** Starts it and does not wait; no field of the API's. */
  detach?: boolean;
}

/** Resolves with the process's exit code; 126 or 127 where it cannot be run, as `docker exec` has it. */
export async function execIn(
  session: Session,
  container: string,
  { detach, ...options }: ExecOptions,
): Promise<number> {
  const engine = await session.engine();
  try {
    const { Id } = await engine.ask<{ Id: string }>(
      'POST',
      `/containers/${encodeURIComponent(container)}/exec`,
      options,
    );
    return await (detach ? startDetached(engine, Id) : startAttached(session, engine, Id, options));
  } catch (error) {
    throw withNextStep(error, ownFailureCode);
  }
}

async function startDetached(engine: Engine, id: string): Promise<number> {
  await engine.ask('POST', `/exec/${id}/start`, { Detach: true });
  return 0;
}

async function startAttached(
  { io }: Session,
  engine: Engine,
  id: string,
  { Tty, AttachStdin }: ExecOptions,
): Promise<number> {
  const { rows, columns } = io.output;
  const connection = await engine.connect(`/exec/${id}/start`, {
    Detach: false,
    Tty,
    ...(Tty && rows && columns ? { ConsoleSize: [rows, columns] } : {}),
  });
  await converse(io, connection, {
    tty: Tty,
    interactive: AttachStdin,
    resize: (height, width) => engine.ask('POST', `/exec/${id}/resize?h=${height}&w=${width}`),
  });
  const { ExitCode } = await engine.ask<{ ExitCode: number | null }>('GET', `/exec/${id}/json`);
  // Detached by its keys: the process goes on.
  return ExitCode ?? 0;
}
