/** The process of a virtual machine, its sockets, and how it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastLines } from '../machine/last-lines.ts';
import { StageFailure } from '../machine/machine.ts';

export interface VmProcess {
  /** Resolves with how the process ended; pending while it runs. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
  pid(): number | undefined;
  kill(): Promise<void>;
}

/** The process is detached, so that neither a closed terminal nor a crash of the app ends the machine. */
export function startVmProcess(program: string, words: string[], log: string): VmProcess {
  const descriptor = openSync(log, 'w', 0o600);
  const child = spawn(program, words, {
    cwd: '/',
    detached: true,
    windowsHide: true,
    stdio: ['ignore', descriptor, descriptor],
  });
  closeSync(descriptor);
  child.unref();
  return processOf(child);
}

function processOf(child: ChildProcess): VmProcess {
  let hasEnded = false;
  const ended = new Promise<string>((resolve) => {
    const end = (how: string) => {
      hasEnded = true;
      resolve(how);
    };
    child.once('error', (error) => end(`it could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      end(signal === null ? `it ended with code ${code}` : `it was killed by ${signal}`),
    );
  });
  return {
    ended,
    hasEnded: () => hasEnded,
    pid: () => child.pid,
    kill: async () => {
      if (hasEnded) return;
      // The process must be reaped in any case.
      child.ref();
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export type LinePlace = { listen: string } | { dial: { host: string; port: number } };

/** A socket that QEMU listens on, or connects to where Node has no unix sockets (Windows). */
export interface Line {
  readonly place: LinePlace;
  /** Resolves once QEMU is connected. Rejects when the signal aborts. */
  dial(signal: AbortSignal): Promise<Socket>;
  close(): void;
}

const dialRetryMs = 20;

export function socketLine(path: string): Line {
  return {
    place: { listen: path },
    async dial(signal) {
      for (;;) {
        signal.throwIfAborted();
        try {
          const socket = await dialOnce(path);
          if (!signal.aborted) return socket;
          socket.destroy();
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          // These two errors mean that QEMU does not listen yet; any other one is final.
          if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error;
          await sleep(dialRetryMs, undefined, { signal });
        }
      }
    },
    close: () => rmSync(path, { force: true }),
  };
}

export function dialOnce(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** Any program of this computer can connect here; SSH's host key tells QEMU's guest from others. */
export async function loopbackLine(): Promise<Line> {
  const waiting: Socket[] = [];
  let wake = () => {};
  const server: Server = createServer({ noDelay: true }, (socket) => {
    // QEMU reconnects as soon as a connection ends, so only the newest one is alive.
    for (const old of waiting.splice(0)) old.destroy();
    socket.on('error', () => {});
    waiting.push(socket);
    wake();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, resolve);
  });
  const { port } = server.address() as { port: number };
  return {
    place: { dial: { host: '127.0.0.1', port } },
    async dial(signal) {
      for (;;) {
        signal.throwIfAborted();
        const socket = waiting.shift();
        if (socket !== undefined) return socket;
        await new Promise<void>((resolve) => {
          wake = resolve;
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    },
    close() {
      for (const socket of waiting.splice(0)) socket.destroy();
      server.close();
    },
  };
}

/** The cause when QEMU's error is not one of the known ones. */
export class QemuBroke extends StageFailure {}

/** Explains from QEMU's last output why it ended before the machine ran. */
export function startFailure(how: string, qemuLog: string, dataDisk: string): StageFailure {
  const said = textOf(qemuLog);
  if (/Failed to get .*lock|Is another process using the image/i.test(said))
    return new StageFailure(
      `Another program is using the machine's disk ${dataDisk}: a second Corten, or a machine that did not end.`,
      'End that program (a process called qemu-system-…), then start again.',
    );
  if (/Cannot allocate memory|cannot set up guest memory/i.test(said))
    return new StageFailure(
      'This computer has not enough free memory for the machine.',
      'Close other programs, or choose less memory in the machine’s settings.',
    );
  if (/Address already in use|Failed to bind/i.test(said))
    return new StageFailure(
      `A socket that the machine needs is in use: ${lastLines(said, 1)}`,
      'Another Corten may use the same directory. End it, or start this one with another --run DIR.',
    );
  if (/qcow2.*corrupt|Image is not in .* format|Could not open .*data/i.test(said))
    return new StageFailure(
      `The machine's disk ${dataDisk} cannot be used: ${lastLines(said, 1)}`,
      'Restore the file from a backup, or move it away: the next start makes an empty one.',
    );
  return new QemuBroke(
    `QEMU did not start: ${how}. ${lastLines(said)}`.trim(),
    `Its output is in ${qemuLog}. Updating QEMU may help.`,
  );
}

export function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
