/** Serves the fake engine on a unix socket of its own, for tests that need a real connection. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Api, createApi } from '../server.ts';
import { type FakeBackends, fakeBackends } from './fake-backend.ts';

export interface ServedFake {
  backends: FakeBackends;
  api: Api;
  socketPath: string;
  /** Failures that were reported as our own fault; a test that expects none looks here. */
  reported: unknown[];
  close(): Promise<void>;
}

export function createFakeApi(): Omit<ServedFake, 'socketPath'> {
  const backends = fakeBackends();
  const reported: unknown[] = [];
  const api = createApi(backends, {
    productVersion: '0.1.0',
    report: (error) => reported.push(error),
  });
  return { backends, api, reported, close: () => api.close() };
}

export async function serveFake(): Promise<ServedFake> {
  const fake = createFakeApi();
  const directory = await mkdtemp(join(tmpdir(), 'corten-api-'));
  const socketPath = join(directory, 'docker.sock');
  await fake.api.listen(socketPath);
  return {
    ...fake,
    socketPath,
    close: async () => {
      await fake.api.close();
      await rm(directory, { recursive: true });
    },
  };
}
