/** HTTP/1.1 to a machine's engine, over channels of the SSH link, with a pool of idle ones. */
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { EngineRequest, EngineResponse } from '../contract/bridge.ts';

/** One answer held in memory; what is larger belongs in a stream. */
const longestBodyBytes = 64 * 1024 * 1024;

/** No answer, or not all of it. What the engine refuses is an answer, and no error here. */
export class EngineLost extends Error {
  constructor(cause: unknown) {
    super(`The engine's answer did not arrive: ${(cause as Error).message}`, { cause });
    this.name = 'EngineLost';
  }
}

export type StreamItem = { head: Omit<EngineResponse, 'body'> } | { data: Uint8Array };

export interface EngineClient {
  request(request: EngineRequest): Promise<EngineResponse>;
  /** The head, then the body as it arrives. Aborting closes the channel, which stops the engine. */
  stream(request: EngineRequest, signal: AbortSignal): AsyncIterable<StreamItem>;
  /**
   * The same for a request whose body is a stream, which is read as fast as the engine takes it. An error of that
   * stream is thrown as it is.
   */
  upload(
    request: Omit<EngineRequest, 'body'>,
    body: Readable,
    signal: AbortSignal,
  ): AsyncIterable<StreamItem>;
  close(): void;
}

export function createEngineClient(openChannel: () => Promise<Duplex>): EngineClient {
  const pool = new ChannelPool(openChannel);
  return {
    async request(request) {
      try {
        const response = await send(pool, request);
        return { ...headOf(response), body: await bodyOf(response) };
      } catch (error) {
        throw new EngineLost(error);
      }
    },
    async *stream(request, signal) {
      if (signal.aborted) return;
      try {
        const response = await send(pool, request, signal);
        yield { head: headOf(response) };
        for await (const data of response as AsyncIterable<Buffer>) {
          // Some may have arrived before the abort; nobody waits for it any more.
          if (signal.aborted) return;
          yield { data };
        }
      } catch (error) {
        // Whoever aborted knows; everyone else hears that the answer was cut off.
        if (!signal.aborted) throw new EngineLost(error);
      }
    },
    async *upload(request, body, signal) {
      let failure: unknown;
      body.once('error', (error) => {
        failure = error;
      });
      try {
        const response = await send(pool, { ...request, body }, signal);
        yield { head: headOf(response) };
        for await (const data of response as AsyncIterable<Buffer>) {
          if (signal.aborted) return;
          yield { data };
        }
      } catch (error) {
        if (signal.aborted) return;
        throw failure ?? new EngineLost(error);
      } finally {
        // The engine may answer before it has read everything.
        body.destroy();
      }
    },
    close: () => pool.destroy(),
  };
}

/** Channels instead of sockets; the rest (keep-alive, reuse) is node's. */
class ChannelPool extends Agent {
  readonly #openChannel: () => Promise<Duplex>;

  constructor(openChannel: () => Promise<Duplex>) {
    super({ keepAlive: true, maxFreeSockets: 8, scheduling: 'lifo' });
    this.#openChannel = openChannel;
  }

  override createConnection(
    _options: object,
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#openChannel().then(
      (channel) => done?.(null, channel),
      (error: Error) => done?.(error, undefined as unknown as Duplex),
    );
  }
}

function send(
  pool: Agent,
  {
    method,
    path,
    headers,
    body,
  }: Omit<EngineRequest, 'body'> & { body?: EngineRequest['body'] | Readable },
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  if (!path.startsWith('/')) throw new Error(`An engine path begins with "/", unlike "${path}".`);
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = httpRequest({
      agent: pool,
      method,
      path,
      headers: { ...headers, host: 'corten' },
      signal,
    });
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
    if (typeof body !== 'object' || body instanceof Uint8Array) outgoing.end(body);
    // An answer that comes early is worth more than the error that sending then ends with.
    else pipeline(body, outgoing).catch(reject);
  });
}

function headOf(response: IncomingMessage): Omit<EngineResponse, 'body'> {
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
  );
  return { status: response.statusCode ?? 0, headers };
}

async function bodyOf(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > longestBodyBytes)
      throw new Error(`The engine's answer is longer than ${longestBodyBytes} bytes: stream it.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
