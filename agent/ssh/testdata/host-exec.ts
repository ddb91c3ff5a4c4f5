/**
 * An exec backend that runs real programs on this machine instead of in a container: `sh` on a pty
 * (through util-linux's script) or on pipes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { CortenError } from '../../errors.ts';
import type { ShellOutput } from '../backend.ts';
import type { ContainerExec, ExecStreams } from '../exec-shells.ts';

type Settings = Parameters<ContainerExec['create']>[1];

export class HostExec implements ContainerExec {
  readonly resizes: { rows: number; columns: number }[] = [];
  readonly created: Settings[] = [];
  readonly processes: ChildProcess[] = [];
  abandoned = 0;
  /** What `start` fails with, to pose as an image without a shell. */
  startError: Error | undefined;

  constructor() {
    // What a test leaves running ends with the test's process; a container would end it otherwise.
    process.once('exit', () => {
      for (const child of this.processes) child.kill('SIGKILL');
    });
  }

  async create(container: string, settings: Settings): Promise<string> {
    if (container !== 'web')
      throw new CortenError(
        'not-found',
        `No such container: ${container}. "docker ps" lists them.`,
      );
    this.created.push(settings);
    return String(this.created.length - 1);
  }

  async start(
    id: string,
    options: { detach: boolean; size?: { rows: number; columns: number } },
  ): Promise<ExecStreams> {
    if (this.startError !== undefined) throw this.startError;
    const settings = this.created[Number(id)]!;
    const env = { PATH: process.env.PATH, ...Object.fromEntries(settings.env.map(splitPair)) };
    const child = settings.terminal
      ? spawn('script', ['-qefc', onTerminal(settings.command, options.size!), '/dev/null'], {
          env,
        })
      : spawn(settings.command[0]!, settings.command.slice(1), { env });
    this.processes[Number(id)] = child;
    return {
      stdin: child.stdin,
      output: outputOf(child),
      // As the engine does it: the client lets go, and the process runs on.
      close: () => {
        this.abandoned += 1;
      },
    };
  }

  inspect(id: string) {
    const child = this.processes[Number(id)];
    const running = child?.exitCode === null && child.signalCode === null;
    return { running, exitCode: child?.exitCode ?? undefined, pid: child?.pid ?? 0 };
  }

  async resize(_id: string, rows: number, columns: number): Promise<void> {
    this.resizes.push({ rows, columns });
  }
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf('=');
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function onTerminal(command: string[], { rows, columns }: { rows: number; columns: number }) {
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return `stty rows ${rows} cols ${columns}; exec ${quoted}`;
}

async function* outputOf(child: ChildProcess): AsyncGenerator<ShellOutput> {
  const merged = new PassThrough({ objectMode: true, highWaterMark: 4 });
  let open = 2;
  for (const stream of ['stdout', 'stderr'] as const) {
    const source = child[stream]!;
    source.on('data', (data: Buffer) => {
      if (!merged.write({ stream, data })) source.pause();
    });
    merged.on('drain', () => source.resume());
    source.once('close', () => {
      open -= 1;
      if (open === 0) merged.end();
    });
  }
  const exited = new Promise((resolve) => child.once('exit', resolve));
  yield* merged as AsyncIterable<ShellOutput>;
  await exited;
}
