/** Commands on the remote host, whatever login shell its user has. */
import type { Readable } from 'node:stream';
import type { Client } from 'ssh2';

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
  /** The words before a command that make it root's. */
  readonly asRoot: string;
  readonly client: Client;
}

const longestOutput = 1024 * 1024;

export function remoteShell(client: Client, { isRoot }: { isRoot: boolean }): RemoteShell {
  const asRoot = isRoot ? '' : 'sudo -n -- ';
  const script = (prefix: string, text: string, words: string[]) =>
    execute(client, `${prefix}sh -s -- ${words.map(quoted).join(' ')}`, whole(text));
  return {
    client,
    asRoot,
    run: (text, ...words) => script('', text, words),
    runAsRoot: (text, ...words) => script(asRoot, text, words),
    feedAsRoot: (command, input) => execute(client, `${asRoot}sh -c ${quoted(command)}`, input),
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

export function execute(client: Client, command: string, input: string | Readable): Promise<Ran> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) {
        reject(error);
        return;
      }
      let [out, err] = ['', ''];
      let code = -1;
      channel.on('data', (data: Buffer) => {
        out = (out + data.toString('utf8')).slice(-longestOutput);
      });
      channel.stderr.on('data', (data: Buffer) => {
        err = (err + data.toString('utf8')).slice(-longestOutput);
      });
      channel.on('exit', (status: number | null) => {
        code = status ?? -1;
      });
      channel.on('close', () => resolve({ code, out: out.trim(), err: err.trim() }));
      // A command that ends before it has read everything says by its status what is wrong.
      channel.on('error', () => {});
      if (typeof input === 'string') channel.end(input);
      else input.on('error', reject).pipe(channel);
    });
  });
}
