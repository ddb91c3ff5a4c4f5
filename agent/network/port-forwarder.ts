/**
 * Published ports where rules cannot lead packets from the machine's network to a container's, as without
 * root: a small process for each container (shim/ports.c) takes what comes to the machine's ports and passes
 * it on. It outlives the agent, as rules would.
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

/** A port and the machine's socket that has it. */
export interface ForwardedPort {
  mapping: PortMapping;
  socketFd: number;
}

export interface PortForwarderOptions {
  /** The shim's program. */
  programPath: string;
  /** Where containers are reached. */
  namespaceFd: number;
  /** What is known of the processes: one file a container. */
  directory: string;
}

export class PortForwarder {
  readonly #programFd: number;
  readonly #nullFd: number;
  readonly #namespaceFd: number;
  readonly #directory: string;
  /** Those that this agent started itself, and has to collect. */
  readonly #children = new Map<string, number>();

  constructor({ programPath, namespaceFd, directory }: PortForwarderOptions) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#programFd = sealedFile('corten-ports', readFileSync(programPath));
    this.#nullFd = openSync('/dev/null', constants.O_RDWR);
    this.#namespaceFd = namespaceFd;
    this.#directory = directory;
  }

  /** The sockets stay the caller's to close. */
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

  /** Whether the container's ports are forwarded, perhaps since an earlier agent. */
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
      // Somebody else collected it.
      if (!hasErrno(error, 'ECHILD')) throw error;
    }
  }

  /** Ends those of containers that ended while no agent was there. */
  keepOnly(containerIds: ReadonlySet<string>): void {
    for (const containerId of readdirSync(this.#directory))
      if (!containerIds.has(containerId)) this.stop(containerId);
  }

  /** They go on. */
  close(): void {
    closeSync(this.#programFd);
    closeSync(this.#nullFd);
  }

  #recordOf = (containerId: string) => join(this.#directory, containerId);
}
