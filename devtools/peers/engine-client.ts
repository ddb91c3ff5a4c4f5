/** A small client of the Docker Engine API, the same for every engine. */
import { Agent, request } from 'node:http';

export interface EngineClient {
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Reads a streamed response to its end and discards it. */
  drain(method: string, path: string, body?: unknown): Promise<void>;
  /** Resolves to the undecoded body, for archives and multiplexed output. A Buffer is sent as a tar archive. */
  bytes(method: string, path: string, body?: unknown): Promise<Buffer>;
  close(): void;
}

export function connectEngine(socketPath: string): EngineClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const send = (method: string, path: string, body?: unknown) =>
    new Promise<Buffer>((resolve, reject) => {
      const isArchive = Buffer.isBuffer(body);
      const payload = isArchive || body === undefined ? (body ?? '') : JSON.stringify(body);
      const outgoing = request(
        {
          socketPath,
          method,
          path: `/v1.41${path}`,
          agent,
          headers: {
            host: 'engine',
            ...(payload !== '' && {
              'content-type': isArchive ? 'application/x-tar' : 'application/json',
              'content-length': Buffer.byteLength(payload),
            }),
          },
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            const all = Buffer.concat(parts);
            if ((response.statusCode ?? 500) < 400) resolve(all);
            else reject(new Error(`${method} ${path}: ${response.statusCode} ${`${all}`.trim()}`));
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(payload);
    });
  return {
    call: async (method, path, body) => {
      const text = (await send(method, path, body)).toString();
      return text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text;
    },
    drain: async (method, path, body) => {
      await send(method, path, body);
    },
    bytes: send,
    close: () => agent.destroy(),
  };
}

/** Creates, starts, awaits and removes a container, as `docker run --rm` does. */
export async function runOnce(engine: EngineClient, settings: unknown): Promise<void> {
  const { Id: id } = (await engine.call('POST', '/containers/create', settings)) as { Id: string };
  await engine.call('POST', `/containers/${id}/start`);
  const { StatusCode: code } = (await engine.call('POST', `/containers/${id}/wait`)) as {
    StatusCode: number;
  };
  if (code !== 0) throw new Error(`the benchmark's container exited with ${code}`);
  await engine.call('DELETE', `/containers/${id}`);
}
