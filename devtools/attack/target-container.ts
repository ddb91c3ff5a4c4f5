/** The container that an attack runs in or against, driven over the Docker Engine API. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Header, pack } from 'tar-stream';
import { patienceMs } from '../../agent/e2e/patience.ts';
import type { EngineClient } from '../peers/engine-client.ts';
import { starterImage } from '../peers/engines.ts';
import { withTimeout } from '../peers/timeout.ts';

const repository = resolve(import.meta.dirname, '../..');
export const probePath = join(repository, 'dist/probes/probe');
export const trapPath = join(repository, 'dist/probes/trap.so');
/** The probe program's path in a container. */
export const probeInside = '/probe';

export interface Entry extends Partial<Header> {
  name: string;
  content?: string | Buffer;
}

export interface Settings {
  Cmd: string[];
  HostConfig?: { [key: string]: unknown };
  [key: string]: unknown;
}

export class TargetContainer {
  readonly #client: EngineClient;
  readonly id: string;

  private constructor(client: EngineClient, id: string) {
    this.#client = client;
    this.id = id;
  }

  /** Of the starter image unless `settings` say otherwise; the probe program is copied in unless the root is read-only. */
  static async create(client: EngineClient, settings: Settings, entries: Entry[] = []) {
    const { HostConfig, ...rest } = settings;
    const body = {
      Image: starterImage,
      ...rest,
      HostConfig: { NetworkMode: 'none', ...HostConfig },
    };
    const created = await withTimeout(client.call('POST', '/containers/create', body));
    const container = new TargetContainer(client, (created as { Id: string }).Id);
    if (HostConfig?.ReadonlyRootfs !== true) await container.put('/', [probeEntry(), ...entries]);
    return container;
  }

  /** Wraps an existing container. */
  static of(client: EngineClient, id: string): TargetContainer {
    return new TargetContainer(client, id);
  }

  async put(path: string, entries: Entry[]): Promise<void> {
    await this.putArchive(path, await tar(entries));
  }

  async putArchive(path: string, archive: Buffer): Promise<void> {
    await withTimeout(
      this.#client.bytes('PUT', this.#path(`/archive?${query({ path })}`), archive),
    );
  }

  /** Resolves to the tar archive of a path. Rejects where there is no such path. */
  get(path: string): Promise<Buffer> {
    return withTimeout(this.#client.bytes('GET', this.#path(`/archive?${query({ path })}`)));
  }

  async start(): Promise<void> {
    await withTimeout(this.#client.call('POST', this.#path('/start')));
  }

  async kill(): Promise<void> {
    await withTimeout(this.#client.call('POST', this.#path('/kill')));
    await this.wait();
  }

  /** Resolves to the exit status. */
  async wait(limitMs = patienceMs): Promise<number> {
    const { StatusCode } = (await withTimeout(
      this.#client.call('POST', this.#path('/wait')),
      limitMs,
    )) as { StatusCode: number };
    return StatusCode;
  }

  async output(): Promise<string> {
    return demultiplex(
      await withTimeout(this.#client.bytes('GET', this.#path('/logs?stdout=1&stderr=1'))),
    );
  }

  /** The output of a container with a terminal, which is not multiplexed. */
  async screen(): Promise<string> {
    const bytes = await withTimeout(this.#client.bytes('GET', this.#path('/logs?stdout=1')));
    return bytes.toString().replaceAll('\r\n', '\n');
  }

  /** Starts the container, awaits its end and resolves to its output. */
  async run(limitMs = patienceMs): Promise<string> {
    await this.start();
    await this.wait(limitMs);
    return this.output();
  }

  async exec(command: string[], settings: object = {}): Promise<string> {
    const { Id } = (await withTimeout(
      this.#client.call('POST', this.#path('/exec'), {
        Cmd: command,
        AttachStdout: true,
        AttachStderr: true,
        ...settings,
      }),
    )) as { Id: string };
    const start = { Detach: false, Tty: false };
    return demultiplex(await withTimeout(this.#client.bytes('POST', `/exec/${Id}/start`, start)));
  }

  /** Resolves once the program in the container has printed `ready`. */
  async ready(): Promise<void> {
    for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(50))
      if ((await this.output()).includes('ready')) return;
    throw new Error('the attacker in the container did not begin');
  }

  /** Removes its anonymous volumes too unless `volumes` is false. */
  async remove(volumes = true): Promise<void> {
    const path = this.#path(`?force=1&v=${volumes ? 1 : 0}`);
    await withTimeout(this.#client.call('DELETE', path), patienceMs / 3);
  }

  #path(rest: string): string {
    return `/containers/${this.id}${rest}`;
  }
}

/** Creates a container for `work`, and removes it also when `work` fails. */
export async function withContainer<T>(
  client: EngineClient,
  settings: Settings,
  work: (container: TargetContainer) => Promise<T>,
  entries: Entry[] = [],
): Promise<T> {
  const container = await TargetContainer.create(client, settings, entries);
  try {
    return await work(container);
  } finally {
    // An engine that hangs cannot remove the container either; the finding still counts.
    await container.remove().catch((error: Error) => console.error(`attack: ${error.message}`));
  }
}

export function probeEntry(): Entry {
  return { name: probeInside.slice(1), mode: 0o755, content: readFileSync(probePath) };
}

export async function tar(entries: Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) archive.entry(header, content ?? '');
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of archive) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

export function query(values: Record<string, string>): string {
  return new URLSearchParams(values).toString();
}

/** Removes the headers of multiplexed output: stream, three zero bytes, length (Docker Engine API, attach). */
function demultiplex(bytes: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString();
}
