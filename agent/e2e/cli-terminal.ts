/** The `docker` CLI on a terminal of its own, as a person has it: types, reads, changes its size. */
import { execFileSync, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { patienceMs } from './patience.ts';

export interface TerminalSize {
  rows: number;
  columns: number;
}

export interface CliTerminal {
  type(text: string): void;
  /** Resolves with everything shown so far once it matches; rejects if the CLI ends without it. */
  shows(pattern: RegExp): Promise<string>;
  /** Changes the size, of which the kernel tells the CLI with SIGWINCH. */
  resize(size: TerminalSize): void;
  /** The CLI's exit code. */
  ended: Promise<number>;
  /** Closes the window. Without its master the terminal hangs up, and the CLI gets SIGHUP. */
  close(): void;
}

export const ctrlC = '\x03';
export const ctrlD = '\x04';
export const ctrlP = '\x10';
export const ctrlQ = '\x11';
export const ctrlX = '\x18';

/** script(1) makes the terminal and passes what it reads and writes on. */
export async function openCliTerminal(
  socket: string,
  words: readonly string[],
  size: TerminalSize = { rows: 24, columns: 80 },
): Promise<CliTerminal> {
  const prepare = `stty rows ${size.rows} cols ${size.columns}; echo "terminal=$(tty);";`;
  const command = ['docker', '-H', `unix://${socket}`, ...words].map(quoted).join(' ');
  const child = spawn(
    'script',
    ['--quiet', '--flush', '--return', '--command', `${prepare} exec ${command}`, '/dev/null'],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        DOCKER_CONFIG: join(tmpdir(), 'corten-e2e-no-config'),
        SHELL: '/bin/sh',
      },
    },
  );
  let shown = '';
  let look = () => {};
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    look();
  });
  // What is typed after the CLI has ended is lost, as on every terminal.
  child.stdin.on('error', () => {});
  const ended = new Promise<number>((resolve) =>
    child.once('close', (code) => resolve(code ?? -1)),
  );

  const shows = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const fail = (why: string) =>
        reject(new Error(`${why} before ${pattern}; on screen: ${JSON.stringify(shown)}`));
      const timer = setTimeout(() => fail('nothing more came'), patienceMs);
      look = () => {
        if (!pattern.test(shown)) return;
        clearTimeout(timer);
        resolve(shown);
      };
      look();
      void ended.then((code) => {
        clearTimeout(timer);
        fail(`the CLI ended with ${code}`);
      });
    });

  const [, device = ''] = /terminal=(.*);/.exec(await shows(/terminal=.*;\s/)) ?? [];
  return {
    type: (text) => child.stdin.write(text),
    shows,
    resize: ({ rows, columns }) => {
      execFileSync('stty', ['-F', device, 'rows', String(rows), 'cols', String(columns)]);
    },
    ended,
    close: () => child.kill('SIGKILL'),
  };
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
