/** The little of the Docker Engine API that benchmarks and attacks drive: the same code for every engine. */
import { Agent, request } from 'node:http';

export interface EngineClient {
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Reads a streamed response to its end and throws it away. */
  drain(method: string, path: string, body?: unknown): Promise<void>;
  /** A response's bytes as they are: archives and framed output. A Buffer is sent as an archive. */
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

/** One container's whole life; the shape that `docker run --rm` has. */
export async function runOnce(engine: EngineClient, settings: unknown): Promise<void> {
  const { Id: id } = (await engine.call('POST', '/containers/create', settings)) as { Id: string };
  await engine.call('POST', `/containers/${id}/start`);
  const { StatusCode: code } = (await engine.call('POST', `/containers/${id}/wait`)) as {
    StatusCode: number;
  };
  if (code !== 0) throw new Error(`the benchmark's container exited with ${code}`);
  await engine.call('DELETE', `/containers/${id}`);
}
