/** The Docker Engine API and `/corten/v1` of one engine, over its unix socket. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { EngineRequest } from '../../electron/contract/bridge.ts';
import { createEngineClient, type EngineClient } from '../../electron/host/engine-client.ts';
import { CommandFailure } from '../failure.ts';

/** The engine's answer with a status of 400 or above; the message is the engine's own. */
export class EngineRefusal extends CommandFailure {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'EngineRefusal';
    this.status = status;
  }
}

type Method = EngineRequest['method'];

export class Engine {
  readonly socketPath: string;
  readonly #client: EngineClient;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.#client = createEngineClient(async () => connect(socketPath));
  }

  /** The answer's JSON document; undefined for an empty one. Throws EngineRefusal. */
  async ask<T>(method: Method, path: string, document?: object): Promise<T> {
    const { status, body } = await this.#reached(
      this.#client.request(asked(method, path, document)),
    );
    const text = Buffer.from(body).toString();
    if (status >= 400) throw refusal(status, text);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** The body as it arrives. Throws EngineRefusal before the first piece. */
  async *stream(method: Method, path: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
    const never = new AbortController().signal;
    const items = this.#client.stream(asked(method, path), signal ?? never)[Symbol.asyncIterator]();
    const next = () => this.#reached(items.next());
    let status = 200;
    let refused = '';
    try {
      for (let item = await next(); !item.done; item = await next()) {
        if ('head' in item.value) status = item.value.head.status;
        else if (status >= 400) refused += Buffer.from(item.value.data).toString();
        else yield Buffer.from(item.value.data);
      }
    } finally {
      await items.return?.(undefined);
    }
    if (status >= 400) throw refusal(status, refused);
  }

  /** The bare connection that attach and exec start become. Throws EngineRefusal. */
  connect(path: string, document?: object): Promise<Duplex> {
    return this.#reached(
      new Promise((resolve, reject) => {
        const body = document === undefined ? '' : JSON.stringify(document);
        const outgoing = httpRequest({
          socketPath: this.socketPath,
          agent: false,
          method: 'POST',
          path,
          headers: {
            host: 'corten',
            connection: 'Upgrade',
            upgrade: 'tcp',
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          },
        });
        outgoing.once('upgrade', (_response: IncomingMessage, socket: Socket, head: Buffer) => {
          socket.unshift(head);
          resolve(socket);
        });
        outgoing.once('response', (response: IncomingMessage) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part) => {
            text += part;
          });
          response.once('end', () => reject(refusal(response.statusCode ?? 0, text)));
        });
        outgoing.once('error', reject);
        outgoing.end(body);
      }),
    );
  }

  close(): void {
    this.#client.close();
  }

  async #reached<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw unreachable(error, this.socketPath) ?? error;
    }
  }
}

function asked(method: Method, path: string, document?: object): EngineRequest {
  if (document === undefined) return { method, path };
  return {
    method,
    path,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(document),
  };
}

function refusal(status: number, text: string): EngineRefusal {
  let message = text.trim();
  try {
    message = JSON.parse(text).message ?? message;
  } catch {
    // An answer that is no JSON is shown as it is.
  }
  return new EngineRefusal(status, message || `The engine answered with status ${status}.`);
}

/** Undefined for a failure that says nothing about whether an engine is there. */
export function unreachable(error: unknown, socketPath: string): CommandFailure | undefined {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return notRunning();
    case 'EACCES':
      return new CommandFailure(
        `${socketPath} belongs to another user.`,
        'Run this command as that user, or with sudo.',
      );
    case 'ECONNRESET':
    case 'EPIPE':
      return new CommandFailure(
        'The engine ended before it answered.',
        'See why with `corten logs`, then start it with `corten start`.',
      );
  }
  return undefined;
}

export function notRunning(): CommandFailure {
  return new CommandFailure('Corten is not running.', 'Start it with `corten start`.');
}
