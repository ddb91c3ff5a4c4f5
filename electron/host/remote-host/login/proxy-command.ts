/** ssh_config(5)'s ProxyCommand: a program whose standard streams are the connection to the host. */
import { spawn } from 'node:child_process';
import { type Duplex, duplexPair } from 'node:stream';
import { lastLines } from '../../machine/last-lines.ts';
import { StageFailure } from '../../machine/machine.ts';
import { expandTokens, type HostPlan } from './ssh-config.ts';

/** The values go through a shell, so a host name must not contain a command (CVE-2023-51385). */
const plainWord = /^[\w.:%@+-]+$/;

/** Throws StageFailure for a name with characters that are special in a shell. */
export function proxyCommandOf(plan: HostPlan, command: string): string {
  const { alias, hostName, port, user } = plan;
  const words = { h: hostName, n: alias, p: String(port), r: user };
  const odd = [hostName, alias, user].find((word) => !plainWord.test(word) || word.startsWith('-'));
  if (odd !== undefined)
    throw new StageFailure(
      `"${odd}" cannot be put into the ProxyCommand of ${alias}.`,
      'Use names of letters, digits and . : @ + - for this host in ~/.ssh/config.',
    );
  return expandTokens(command, words);
}

export function openProxyCommand(plan: HostPlan, command: string): Duplex {
  const line = proxyCommandOf(plan, command);
  // `exec`, as in ssh(1), replaces the shell by the command, so that signals and exit status are the command's.
  const child =
    process.platform === 'win32'
      ? spawn(line, { shell: true, windowsHide: true })
      : spawn(process.env.SHELL || '/bin/sh', ['-c', `exec ${line}`]);
  let said = '';
  child.stderr.on('data', (data: Buffer) => {
    said = (said + data.toString('utf8')).slice(-4096);
  });
  // The output ends before the exit status is known, and the status is the better error.
  const [duplex, far] = duplexPair();
  child.stdout.pipe(far, { end: false });
  far.pipe(child.stdin);
  const fail = (how: string) => {
    const words = lastLines(said);
    duplex.destroy(
      new StageFailure(
        `The ProxyCommand of ${plan.alias} ${how}${words === '' ? '' : `: ${words}`}`,
        `See what it says in a terminal: ${line}`,
      ),
    );
  };
  child.on('error', (error) => fail(`does not start: ${error.message}`));
  child.on('close', (status, signal) => fail(`ended with ${signal ?? `status ${status}`}`));
  // Data that is written while the command ends is lost.
  child.stdin.on('error', () => {});
  duplex.once('close', () => {
    far.destroy();
    child.kill();
  });
  return duplex;
}
