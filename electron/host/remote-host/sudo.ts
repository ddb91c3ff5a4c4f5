/**
 * Commands as root by a sudo that wants a password. It goes over the command's standard input, when
 * sudo asks for it: never on a command line, and never into a file.
 */
import type { Client } from 'ssh2';
import { lastLines } from '../machine/last-lines.ts';
import { StageFailure } from '../machine/machine.ts';
import { openCommand, type RemoteCommand } from './remote-command.ts';

/** What sudo asks with, and what says that it runs the command: words that nothing else says. */
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
 * Resolves once the command runs: from then on its streams are its own. Rejects with WrongPassword,
 * or with sudo's own words for a user that may not.
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
      // A read gives one piece of what is there, and of the rest nobody tells again.
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
    /** What asks a directory for its users may take its time, and a wrong password two seconds. */
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
    // Not the channel's own end, which comes only once somebody has read what it says.
    stderr.once('end', onEnd);
  });
}
