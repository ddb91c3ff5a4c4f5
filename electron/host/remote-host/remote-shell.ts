/** Commands on the remote host, whatever login shell its user has. */
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
  /** As the user who logged in. */
  run(script: string, ...words: string[]): Promise<Ran>;
  /** As root, by sudo where the user is another one. */
  runAsRoot(script: string, ...words: string[]): Promise<Ran>;
  /** A command as root with its standard input; for one that only copies. */
  feedAsRoot(command: string, input: Readable): Promise<Ran>;
  /** A command as root whose streams stay open. */
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

/** Read to its end before it begins, so that no command in it takes the rest for its input. */
function whole(script: string): string {
  return `main() {\n${script}\n}\nmain "$@" </dev/null\n`;
}

/** Single quotes mean the same to every shell that is anybody's login shell. */
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
