/** Finds the process that has a port of this computer, for the text of an error; it is too slow for more. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { portOwner as ownerInProc } from '../../../agent/contract/port-owner.ts';

type Protocol = 'tcp' | 'udp';
const run = promisify(execFile);
const timeoutMs = 3000;

/** Such as `nginx (pid 812)`; undefined where the system does not tell. */
export async function portOwner(protocol: Protocol, port: number): Promise<string | undefined> {
  try {
    switch (process.platform) {
      case 'linux':
        return ownerInProc(protocol, port);
      case 'darwin':
        return ownerInLsof(await output('lsof', lsofWords(protocol, port)));
      case 'win32': {
        const pid = pidInNetstat(await output('netstat', ['-ano', '-p', protocol]), protocol, port);
        if (pid === undefined) return undefined;
        return ownerInTasklist(
          await output('tasklist', ['/FI', `PID eq ${pid}`, '/FO', 'CSV', '/NH']),
        );
      }
      default:
        return undefined;
    }
  } catch {
    // The program is missing or not permitted, so the error is shown without a name.
    return undefined;
  }
}

async function output(program: string, words: string[]): Promise<string> {
  return (await run(program, words, { timeout: timeoutMs, windowsHide: true })).stdout;
}

const lsofWords = (protocol: Protocol, port: number) =>
  protocol === 'tcp'
    ? ['-nP', '-Fpc', '-sTCP:LISTEN', `-iTCP:${port}`]
    : ['-nP', '-Fpc', `-iUDP:${port}`];

/** Reads lsof(8)'s "OUTPUT FOR OTHER PROGRAMS": one field a line, `p` for the pid and `c` for the command. */
export function ownerInLsof(text: string): string | undefined {
  const field = (letter: string) =>
    text
      .split('\n')
      .find((line) => line.startsWith(letter))
      ?.slice(1);
  const [pid, command] = [field('p'), field('c')];
  return pid && command ? `${command} (pid ${pid})` : undefined;
}

/** The columns are protocol, local address, foreign address, state (only TCP, translated) and pid. */
export function pidInNetstat(text: string, protocol: Protocol, port: number): string | undefined {
  for (const line of text.split(/\r?\n/)) {
    const columns = line.trim().split(/\s+/);
    if (columns[0]?.toLowerCase() !== protocol || !columns[1]?.endsWith(`:${port}`)) continue;
    // A listener has no peer, which netstat shows as 0.0.0.0:0 or [::]:0, and as *:* for UDP.
    if (protocol === 'tcp' && !columns[2]?.endsWith(':0')) continue;
    return columns.at(-1);
  }
  return undefined;
}

/** Reads `"nginx.exe","812","Console","1","9,120 K"`; tasklist prints a sentence without quotes for no match. */
export function ownerInTasklist(text: string): string | undefined {
  const [, name, pid] = /^"([^"]+)","(\d+)"/.exec(text.trim()) ?? [];
  return name && pid ? `${name} (pid ${pid})` : undefined;
}
