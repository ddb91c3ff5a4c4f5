/** Who has a port of this computer, in a few words such as `nginx (pid 812)`. Slow; for errors. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { promisify } from 'node:util';

type Protocol = 'tcp' | 'udp';
const run = promisify(execFile);
const timeoutMs = 3000;

/** Undefined when it cannot be found out. */
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
    // No such program, or no permission: the error goes without a name.
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

/** lsof(8), "OUTPUT FOR OTHER PROGRAMS": one field a line, `p` for the pid and `c` for the command. */
export function ownerInLsof(text: string): string | undefined {
  const field = (letter: string) =>
    text
      .split('\n')
      .find((line) => line.startsWith(letter))
      ?.slice(1);
  const [pid, command] = [field('p'), field('c')];
  return pid && command ? `${command} (pid ${pid})` : undefined;
}

/** Columns: protocol, local address, foreign address, state (of TCP only, and in the system's language), pid. */
export function pidInNetstat(text: string, protocol: Protocol, port: number): string | undefined {
  for (const line of text.split(/\r?\n/)) {
    const columns = line.trim().split(/\s+/);
    if (columns[0]?.toLowerCase() !== protocol || !columns[1]?.endsWith(`:${port}`)) continue;
    // A listener has no peer: 0.0.0.0:0 or [::]:0. UDP shows *:*.
    if (protocol === 'tcp' && !columns[2]?.endsWith(':0')) continue;
    return columns.at(-1);
  }
  return undefined;
}

/** `"nginx.exe","812","Console","1","9,120 K"`; a sentence, without quotes, when there is none. */
export function ownerInTasklist(text: string): string | undefined {
  const [, name, pid] = /^"([^"]+)","(\d+)"/.exec(text.trim()) ?? [];
  return name && pid ? `${name} (pid ${pid})` : undefined;
}

/** As ss(8) does: the socket's inode from /proc/net, then the process that has it open. */
function ownerInProc(protocol: Protocol, port: number): string | undefined {
  const inode = socketInode(protocol, port);
  return inode === undefined ? undefined : processWith(`socket:[${inode}]`);
}

/** proc_pid_net(5): columns are slot, local address:port in hex, remote, state, …, inode. */
function socketInode(protocol: Protocol, port: number): string | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const listening = protocol === 'tcp' ? '0A' : '07';
  for (const table of [protocol, `${protocol}6`])
    for (const line of readOrEmpty(`/proc/self/net/${table}`).split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[1]?.endsWith(suffix) && columns[3] === listening) return columns[9];
    }
  return undefined;
}

function processWith(socket: string): string | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    if (descriptorsOf(pid).includes(socket))
      return `${readOrEmpty(`/proc/${pid}/comm`).trim()} (pid ${pid})`;
  return undefined;
}

function descriptorsOf(pid: string): string[] {
  const directory = `/proc/${pid}/fd`;
  try {
    return readdirSync(directory).map((fd) => {
      try {
        return readlinkSync(`${directory}/${fd}`);
      } catch {
        // Closed meanwhile: not what we look for.
        return '';
      }
    });
  } catch {
    // Another person's process, or one that ended: who has the port may then stay unknown.
    return [];
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Without IPv6 there is no tcp6.
    return '';
  }
}
