/** Runs commands on the remote host, independent of its user's login shell. */
import type { Readable } from 'node:stream';
import type { Client } from 'ssh2';
import { openCommand, type RemoteCommand } from './remote-command.ts';
import { openBySudo } from './sudo.ts';

export interface Ran {
  code: number;
  out: string;
  err: string;
}

export interface RemoteShell {
  /** Runs a script as the user who logged in. */
  run(script: string, ...words: string[]): Promise<Ran>;
  /** Runs a script as root, by sudo where the user is another one. */
  runAsRoot(script: string, ...words: string[]): Promise<Ran>;
  /** Runs a command as root that reads the given standard input. */
  feedAsRoot(command: string, input: Readable): Promise<Ran>;
  /** Starts a command as root and returns its open streams. */
  openAsRoot(command: string): Promise<RemoteCommand>;
  readonly root: Root;
  readonly client: Client;
}

const longestOutput = 1024 * 1024;

/** How the user who logged in becomes root. */
export type Root = 'is-root' | 'sudo' | { sudoPassword: string };

export function remoteShell(client: Client, root: Root): RemoteShell {
  const openAsRoot = (command: string) => {
    if (typeof root === 'object') return openBySudo(client, command, root.sudoPassword);
    return openCommand(client, root === 'sudo' ? `sudo -n -- ${command}` : command);
  };
  const shell = (words: string[]) => `sh -s -- ${words.map(quoted).join(' ')}`;
  return {
    client,
    root,
    openAsRoot,
    run: async (text, ...words) => finish(await openCommand(client, shell(words)), whole(text)),
    runAsRoot: async (text, ...words) => finish(await openAsRoot(shell(words)), whole(text)),
    feedAsRoot: async (command, input) =>
      finish(await openAsRoot(`sh -c ${quoted(command)}`), input),
  };
}

/** The shell reads the whole script before it runs, so that no command in it reads the rest as its input. */
function whole(script: string): string {
  return `main() {\n${script}\n}\nmain "$@" </dev/null\n`;
}

/** Single quotes have the same meaning in every usual login shell. */
export function quoted(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

async function finish({ channel, ended }: RemoteCommand, input: string | Readable): Promise<Ran> {
  let [out, err] = ['', ''];
  channel.on('data', (data: Buffer) => {
    out = (out + data.toString('utf8')).slice(-longestOutput);
  });
  channel.stderr.on('data', (data: Buffer) => {
    err = (err + data.toString('utf8')).slice(-longestOutput);
  });
  const broken = new Promise<never>((_, reject) => {
    if (typeof input === 'string') channel.end(input);
    else input.once('error', reject).pipe(channel);
  });
  const code = await Promise.race([ended, broken]);
  return { code, out: out.trim(), err: err.trim() };
}
