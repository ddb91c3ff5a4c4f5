/**
 * Runs commands as root by a sudo that asks for a password. The password goes over the command's
 * standard input, when sudo asks for it, and never into a command line or a file.
 */
import type { Client } from 'ssh2';
import { lastLines } from '../machine/last-lines.ts';
import { StageFailure } from '../machine/machine.ts';
import { openCommand, type RemoteCommand } from './remote-command.ts';

/** The prompt that sudo is given, and the text that marks the command's begin; both are unique. */
const prompt = '[corten: password]';
const begun = '[corten: begun]';

const timeoutMs = 60_000;

export class WrongPassword extends Error {
  constructor() {
    super('sudo does not take the password');
    this.name = 'WrongPassword';
  }
}

/**
 * Resolves once the command runs; its streams then carry only its own data. Rejects with WrongPassword,
 * or with sudo's message for a user that may not use it.
 */
export async function openBySudo(
  client: Client,
  command: string,
  password: string,
): Promise<RemoteCommand> {
  const line = `sudo -S -p '${prompt}' -- sh -c 'echo "${begun}" >&2; exec "$@"' sh ${command}`;
  const opened = await openCommand(client, line);
  const { channel } = opened;
  const { stderr } = channel;
  return new Promise((resolve, reject) => {
    let said = '';
    let isAsked = false;
    let isSettled = false;
    const onWords = () => {
      if (isSettled) return;
      // One `readable` event can stand for several pieces, so all of them are read.
      for (let piece = stderr.read(); piece !== null; piece = stderr.read()) said += String(piece);
      const at = said.indexOf(`${begun}\n`);
      if (at >= 0) {
        settle();
        const rest = said.slice(at + begun.length + 1);
        if (rest !== '') stderr.unshift(Buffer.from(rest));
        resolve(opened);
        return;
      }
      const asked = said.split(prompt).length - 1;
      if (asked === 0) return;
      if (isAsked && asked > 1) {
        settle();
        channel.close();
        reject(new WrongPassword());
      } else if (!isAsked) {
        isAsked = true;
        channel.write(`${password}\n`);
      }
    };
    const onEnd = () => {
      settle();
      const words = lastLines(said.replaceAll(prompt, ''), 1);
      reject(
        new StageFailure(
          `sudo runs nothing there for this user: ${words || 'it printed nothing'}`,
          'Use root or another user, or allow it with visudo on that computer.',
        ),
      );
    };
    /** A lookup of users in a directory service can be slow, and sudo waits two seconds after a wrong password. */
    const timeout = setTimeout(() => {
      settle();
      channel.close();
      reject(
        new StageFailure(
          `sudo does not answer there. Its last output: ${lastLines(said) || 'nothing'}`,
          'Log in to that computer, and see how long "sudo true" takes.',
        ),
      );
    }, timeoutMs);
    function settle(): void {
      isSettled = true;
      clearTimeout(timeout);
      stderr.off('readable', onWords);
      stderr.off('end', onEnd);
    }
    stderr.on('readable', onWords);
    // The end of standard error is used, because the channel's `close` comes only after all output was read.
    stderr.once('end', onEnd);
  });
}
