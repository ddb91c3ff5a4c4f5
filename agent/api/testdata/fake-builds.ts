/** Builds in memory. */
import type { BuildDocument, BuildProgressDocument } from '../../contract/build.ts';
import { conflict, notFound } from '../../errors.ts';
import type { BuildsBackend } from '../build/backend.ts';

export class FakeBuilds implements BuildsBackend {
  readonly documents: BuildDocument[] = [
    document('runs', 'running'),
    document('done', 'completed'),
  ];
  readonly lines: BuildProgressDocument[] = [
    { vertexes: [{ digest: 'sha256:1', inputs: [], name: '[1/2] FROM alpine' }] },
    {
      logs: [
        { vertex: 'sha256:1', stream: 2, data: 'aGk=', timestamp: '2026-01-02T03:04:05.678Z' },
      ],
    },
  ];

  async list(): Promise<BuildDocument[]> {
    return this.documents;
  }

  async inspect(ref: string): Promise<BuildDocument> {
    const found = this.documents.find((each) => each.ref === ref);
    if (found === undefined) throw notFound(`there is no build ${ref}`);
    return found;
  }

  async *progress(ref: string, _signal: AbortSignal): AsyncGenerator<BuildProgressDocument> {
    await this.inspect(ref);
    yield* this.lines;
  }

  async cancel(ref: string): Promise<void> {
    const found = await this.inspect(ref);
    if (found.state !== 'running') throw conflict(`build ${ref} has ended`);
    found.state = 'cancelled';
  }

  async setPinned(ref: string, isPinned: boolean): Promise<void> {
    (await this.inspect(ref)).isPinned = isPinned;
  }

  async remove(ref: string): Promise<void> {
    const found = await this.inspect(ref);
    if (found.state === 'running') throw conflict(`build ${ref} runs`);
    this.documents.splice(this.documents.indexOf(found), 1);
  }
}

function document(ref: string, state: BuildDocument['state']): BuildDocument {
  return {
    ref,
    state,
    startedAt: '2026-01-02T03:04:05.678Z',
    dockerfile: 'Dockerfile',
    platforms: [],
    buildArguments: {},
    names: ['app:latest'],
    steps: { total: 2, cached: 0, completed: 1 },
    warnings: 0,
    isPinned: false,
  };
}
