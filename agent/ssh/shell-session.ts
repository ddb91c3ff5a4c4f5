/** Serves a session channel of a login that names a container: pty, env, shell, exec (RFC 4254 §6). */
import type { Duplex } from 'node:stream';
import type { Connection, ServerChannel, Session } from 'ssh2';
import type { Shell, ShellRequest, SshBackend } from './backend.ts';
import { ChannelWriter } from './channel-writer.ts';

/** Limit of variables: enough for LANG, LC_* and those of editors, but too few to fill the engine's memory. */
const maxVariables = 128;
const maxVariableBytes = 32 * 1024;

/** With a terminal these signals are sent as the keys that reach its foreground process. */
const keyOfSignal: Record<string, string> = { INT: '\x03', QUIT: '\x1c', TSTP: '\x1a' };

export function serveShells(
  connection: Connection,
  socket: Duplex,
  container: string,
  backend: SshBackend,
): void {
  connection.on('session', (accept) => {
    new ShellSession(accept(), socket, container, backend).listen();
  });
}

class ShellSession {
  readonly #session: Session;
  readonly #socket: Duplex;
  readonly #container: string;
  readonly #backend: SshBackend;
  readonly #env: Record<string, string> = {};
  #terminal: { rows: number; columns: number } | undefined;
  #shell: Shell | undefined;

  constructor(session: Session, socket: Duplex, container: string, backend: SshBackend) {
    this.#session = session;
    this.#socket = socket;
    this.#container = container;
    this.#backend = backend;
  }

  listen(): void {
    this.#session.on('pty', (accept, _reject, info) => {
      this.#terminal = sizeOf(info);
      // @types/ssh2 lacks `term` of the pty request (RFC 4254 §6.2).
      const { term } = info as { term?: string };
      this.#env.TERM = term === undefined || term === '' ? 'xterm-256color' : term;
      accept?.();
    });
    this.#session.on('env', (accept, reject, { key, val }) => {
      if (this.#mayHold(key, val)) {
        this.#env[key] = val;
        accept?.();
      } else reject?.();
    });
    this.#session.on('window-change', (accept, _reject, info) => {
      this.#terminal = sizeOf(info);
      this.#resize();
      accept?.();
    });
    this.#session.on('signal', (accept, _reject, { name }) => {
      this.#signal(name);
      accept?.();
    });
    this.#session.on('shell', (accept) => void this.#run(accept()));
    this.#session.on('exec', (accept, _reject, { command }) => void this.#run(accept(), command));
  }

  /** The channel is accepted first, because ssh2 drops data that a client sends before that. */
  async #run(channel: ServerChannel, command?: string): Promise<void> {
    // A broken channel ends with `close`, which releases everything.
    channel.on('error', () => {});
    const writer = new ChannelWriter(channel, this.#socket, () => this.#shell?.hangUp());
    try {
      const code = await this.#converse(channel, writer, command);
      channel.exit(code);
    } catch (error) {
      await writer.write(this.#errorText(error), 'stderr');
      channel.exit(127);
    }
    channel.end();
  }

  async #converse(channel: ServerChannel, writer: ChannelWriter, command?: string) {
    const request: ShellRequest = { command, terminal: this.#terminal, env: this.#env };
    const shell = await this.#backend.openShell(this.#container, request);
    this.#shell = shell;
    // The client has disconnected while the shell was starting.
    if (writer.closed) shell.hangUp();
    // An error of stdin, which the process may close, must not end its output.
    shell.stdin.on('error', () => channel.resume());
    channel.pipe(shell.stdin);
    this.#resizeIfChanged(request.terminal);
    for await (const { stream, data } of shell.output)
      if (!(await writer.write(data, stream))) break;
    return shell.exitCode();
  }

  /** Applies a change of the window's size while the shell was starting. */
  #resizeIfChanged(started: ShellRequest['terminal']): void {
    if (started !== this.#terminal) this.#resize();
  }

  #resize(): void {
    if (this.#terminal === undefined) return;
    const { rows, columns } = this.#terminal;
    // The process may have ended, and then its size does not matter.
    this.#shell?.resize(rows, columns).catch(() => {});
  }

  #signal(name: string): void {
    const key = this.#terminal === undefined ? undefined : keyOfSignal[name];
    if (key !== undefined) this.#shell?.stdin.write(key);
    else this.#shell?.signal(name);
  }

  #mayHold(key: string, value: string): boolean {
    return (
      /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) &&
      !value.includes('\0') &&
      Buffer.byteLength(value) <= maxVariableBytes &&
      Object.keys(this.#env).length < maxVariables
    );
  }

  /** Formats an error. A terminal in raw mode needs the carriage return, the stderr of a plain command does not. */
  #errorText(error: unknown): Buffer {
    const reason = error instanceof Error ? error.message : String(error);
    return Buffer.from(this.#terminal === undefined ? `${reason}\n` : `${reason}\r\n`);
  }
}

function sizeOf({ rows, cols }: { rows: number; cols: number }) {
  return { rows, columns: cols };
}
