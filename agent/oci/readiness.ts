/**
 * Forwards readiness to the caller's NOTIFY_SOCKET (sd_notify(3)), as runc and crun do: the container gets a socket
 * of this command, and only READY=1 is forwarded. A container cannot tell the machine's systemd anything else. No
 * process stays behind, so `start` and a detached `run` last until the container is ready or has ended.
 */
import { closeSync, existsSync, mkdirSync } from 'node:fs';
import { basename, join, normalize } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OciSpec } from '../contract/oci-runtime.ts';
import {
  bindDatagrams,
  connectDatagrams,
  receiveDatagram,
  sendDatagram,
} from '../kernel/datagram-socket.ts';
import { makePipe } from '../kernel/pipe.ts';
import { PollEvent, poll } from '../kernel/poll.ts';
import type { Container } from './container.ts';

type Warn = (text: string) => void;

const variable = 'NOTIFY_SOCKET';
/** Path in the container when the caller's socket has no path. */
const otherwise = '/run/notify';
const mostBytes = 4096;
/** Messages per iteration, so that a container that sends without end cannot hide its end. */
const mostAtOnce = 64;
const pauseMs = 20;
const barrierMs = 5000;

/**
 * Adds the socket's directory and the variable, if the caller has a socket. A NOTIFY_SOCKET in config.json takes
 * precedence.
 */
export function withReadiness(
  spec: OciSpec,
  container: Container,
  env: NodeJS.ProcessEnv,
  warn: Warn,
): OciSpec {
  const target = targetOf(env, warn);
  if (target === undefined || spec.process.env.some((pair) => pair.startsWith(`${variable}=`)))
    return spec;
  const source = folderOf(container);
  mkdirSync(source, { mode: 0o755 });
  // As in crun, an existing mount of the container is kept.
  const destination = target.startsWith('/') ? normalize(target) : otherwise;
  const options = ['bind', 'private', 'ro', 'nosuid', 'nodev', 'noexec'];
  return {
    ...spec,
    process: {
      ...spec.process,
      env: [...spec.process.env, `${variable}=${join(destination, basename(socketOf(container)))}`],
    },
    mounts: [...spec.mounts, { destination, type: 'bind', source, options }],
  };
}

/** Must be opened before the program runs; `undefined` when nobody waits for readiness. */
export function openReadiness(
  container: Container,
  env: NodeJS.ProcessEnv,
  warn: Warn,
): Readiness | undefined {
  const target = targetOf(env, warn);
  if (target === undefined || !existsSync(folderOf(container))) return undefined;
  return new Readiness(container, bindDatagrams(socketOf(container)), target, warn);
}

export class Readiness {
  readonly #container: Container;
  readonly #fd: number;
  readonly #target: string;
  readonly #warn: Warn;

  constructor(container: Container, fd: number, target: string, warn: Warn) {
    this.#container = container;
    this.#fd = fd;
    this.#target = target;
    this.#warn = warn;
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Resolves when the caller's manager was told, or the container has ended. Closes the socket. */
  async pass({ thenLeaves }: { thenLeaves: boolean }): Promise<void> {
    try {
      if (await this.#arrives()) this.#tell(thenLeaves);
    } finally {
      this.close();
    }
  }

  async #arrives(): Promise<boolean> {
    for (;;) {
      // This is checked before reading, so that its last messages still count.
      const alive = this.#container.isAlive();
      if (this.#hasArrived()) return true;
      if (!alive) return false;
      await sleep(pauseMs);
    }
  }

  #hasArrived(): boolean {
    for (let count = 0; count < mostAtOnce; count++) {
      const message = receiveDatagram(this.#fd, mostBytes);
      if (message === undefined) return false;
      if (message.toString('latin1').split('\n').includes('READY=1')) return true;
    }
    return false;
  }

  #tell(thenLeaves: boolean): void {
    try {
      const manager = connectDatagrams(this.#target);
      try {
        if (thenLeaves) this.#tellAndLeave(manager);
        else sendDatagram(manager, 'READY=1');
      } finally {
        closeSync(manager);
      }
    } catch (error) {
      // The error does not affect the container.
      this.#warn(
        `the container is ready, but ${variable} ${this.#target} cannot be told: ${error}`,
      );
    }
  }

  /**
   * Sends the message and waits until systemd has read it, because it checks the sender, which must still exist
   * (sd_notify_barrier(3)).
   */
  #tellAndLeave(manager: number): void {
    sendDatagram(manager, `READY=1\nMAINPID=${this.#container.record.process?.pid}`);
    const { readFd, writeFd } = makePipe();
    try {
      sendDatagram(manager, 'BARRIER=1', writeFd);
    } finally {
      closeSync(writeFd);
      poll([{ fd: readFd, events: PollEvent.hangUp }], barrierMs);
      closeSync(readFd);
    }
  }
}

/** Address of the socket: `/path` or `@abstract`. Sockets of another machine (vsock) are not supported. */
function targetOf(env: NodeJS.ProcessEnv, warn: Warn): string | undefined {
  const target = env[variable];
  if (!target) return undefined;
  if (/^[/@]./.test(target)) return target;
  warn(`${variable} ${target} is not handed on: it is no unix socket`);
  return undefined;
}

function folderOf({ directory }: Container): string {
  return join(directory, 'notify');
}

function socketOf(container: Container): string {
  return join(folderOf(container), 'notify');
}
