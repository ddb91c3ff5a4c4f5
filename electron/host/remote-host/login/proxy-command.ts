/** ssh_config's ProxyCommand: a program whose standard streams are the line to the host. */
import { spawn } from 'node:child_process';
import { type Duplex, duplexPair } from 'node:stream';
import { lastLines } from '../../machine/last-lines.ts';
import { StageFailure } from '../../machine/machine.ts';
import { expandTokens, type HostPlan } from './ssh-config.ts';

/** The shell sees these words, and a name of a host must not be a command (CVE-2023-51385). */
const plainWord = /^[\w.:%@+-]+$/;

/** Throws StageFailure for a name that the shell could take for more than a name. */
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
  // As ssh does it: the shell becomes the command, so that its end is the command's.
  const child =
    process.platform === 'win32'
      ? spawn(line, { shell: true, windowsHide: true })
      : spawn(process.env.SHELL || '/bin/sh', ['-c', `exec ${line}`]);
  let said = '';
  child.stderr.on('data', (data: Buffer) => {
    said = (said + data.toString('utf8')).slice(-4096);
  });
  // Its output ends before its status is known, and the status says more.
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
  // What it is told while it ends is lost with it.
  child.stdin.on('error', () => {});
  duplex.once('close', () => {
    far.destroy();
    child.kill();
  });
  return duplex;
}
