/** A person and a process in a container: the terminal or pipes on this side, the engine's connection on the other. */
import type { Duplex } from 'node:stream';
import type { Io } from '../io.ts';
import { copyFrames, copyRaw } from './frames.ts';

export interface ConversationOptions {
  /** The process has a terminal. */
  tty: boolean;
  /** What is typed goes to the process. */
  interactive: boolean;
  /** Tells the engine the size of this side's terminal. */
  resize(rows: number, columns: number): Promise<unknown>;
}

/** Resolves at the end of the process's output. */
export async function converse(
  io: Io,
  connection: Duplex,
  { tty, interactive, resize }: ConversationOptions,
): Promise<void> {
  const { input, output, errors } = io;
  const isRaw = tty && interactive && input.isTTY === true;
  const follow = () => {
    // The process may have ended since.
    resize(output.rows ?? 24, output.columns ?? 80).catch(() => {});
  };
  // The output's end is how it ends; a broken connection also ends it.
  connection.on('error', () => {});
  if (isRaw) input.setRawMode?.(true);
  if (tty && output.isTTY) {
    follow();
    output.on('resize', follow);
  }
  if (interactive) input.pipe(connection);
  try {
    if (tty) await copyRaw(connection, output);
    else await copyFrames(connection, output, errors);
  } finally {
    output.off('resize', follow);
    input.unpipe(connection);
    input.pause();
    if (isRaw) input.setRawMode?.(false);
  }
}
