/**
 * Forwards published ports when rules cannot reach the container's network from the machine's, as without root: one
 * small process per container (shim/ports.c) accepts traffic of the machine's ports and forwards it. It goes on while
 * the agent is stopped, as rules would.
 */
import { closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../kernel/libc.ts';
import { sealedFile } from '../kernel/memfd.ts';
import { spawn, waitForChild } from '../kernel/process.ts';
import {
  endRecordedProcess,
  findRecordedProcess,
  recordProcess,
} from '../kernel/recorded-process.ts';
import type { PortMapping } from './ruleset.ts';

/** A published port and the machine's socket that holds it. */
export interface ForwardedPort {
  mapping: PortMapping;
  socketFd: number;
}

export interface PortForwarderOptions {
  /** The shim's program. */
  programPath: string;
  /** Network namespace in which containers are reached. */
  namespaceFd: number;
  /** Directory with one file per process. */
  directory: string;
}

export class PortForwarder {
  readonly #programFd: number;
  readonly #nullFd: number;
  readonly #namespaceFd: number;
  readonly #directory: string;
  /** Process IDs by container that this agent has started and must reap. */
  readonly #children = new Map<string, number>();

  constructor({ programPath, namespaceFd, directory }: PortForwarderOptions) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#programFd = sealedFile('corten-ports', readFileSync(programPath));
    this.#nullFd = openSync('/dev/null', constants.O_RDWR);
    this.#namespaceFd = namespaceFd;
    this.#directory = directory;
  }

  /** Starts a forwarder. The caller still has to close its own copies of the sockets. */
  start(containerId: string, ports: readonly ForwardedPort[]): void {
    this.stop(containerId);
    if (ports.length === 0) return;
    const [network, first] = [3, 4];
    const words = ports.map(
      ({ mapping: { protocol, containerAddress, containerPort } }, index) =>
        `${protocol}:${first + index}:${containerPort}:${containerAddress}`,
    );
    const pid = spawn(
      this.#programFd,
      ['corten-ports', String(network), ...words],
      [
        this.#nullFd,
        this.#nullFd,
        this.#nullFd,
        this.#namespaceFd,
        ...ports.map(({ socketFd }) => socketFd),
      ],
    );
    this.#children.set(containerId, pid);
    recordProcess(this.#recordOf(containerId), pid);
  }

  /** Whether a forwarder of the container runs, perhaps from an earlier agent. */
  isRunning(containerId: string): boolean {
    return findRecordedProcess(this.#recordOf(containerId)) !== undefined;
  }

  stop(containerId: string): void {
    endRecordedProcess(this.#recordOf(containerId));
    const child = this.#children.get(containerId);
    this.#children.delete(containerId);
    if (child === undefined) return;
    try {
      waitForChild(child);
    } catch (error) {
      // ECHILD means that the process was reaped elsewhere.
      if (!hasErrno(error, 'ECHILD')) throw error;
    }
  }

  /** Ends the forwarders of containers that ended while no agent ran. */
  keepOnly(containerIds: ReadonlySet<string>): void {
    for (const containerId of readdirSync(this.#directory))
      if (!containerIds.has(containerId)) this.stop(containerId);
  }

  /** Forgets the processes, which go on running. */
  close(): void {
    closeSync(this.#programFd);
    closeSync(this.#nullFd);
  }

  #recordOf = (containerId: string) => join(this.#directory, containerId);
}
