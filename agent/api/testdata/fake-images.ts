/** Images in memory. */
import { Readable } from 'node:stream';
import type {
  ImageView,
  LayerFilesDocument,
  Progress,
  PullRequest,
  PushRequest,
} from '../../contract/image.ts';
import { CortenError, notFound } from '../../errors.ts';
import type { ImagesBackend } from '../images/backend.ts';

export class FakeImages implements ImagesBackend {
  readonly calls: { name: string; args: unknown[] }[] = [];
  readonly views: ImageView[] = [
    imageView('1', ['corten/starter:latest'], { Labels: { tier: 'base' }, Cmd: ['sh'] }),
    imageView('2', ['registry.example:5000/team/app:v1'], {}),
    imageView('3', [], {}),
  ];

  list(): ImageView[] {
    return this.views;
  }

  inspect(reference: string): ImageView {
    const name = reference.includes(':') ? reference : `${reference}:latest`;
    const found = this.views.find(
      (view) => view.tags.includes(name) || view.tags.includes(reference) || view.id === reference,
    );
    if (found === undefined) throw notFound(`No such image: ${name}`);
    return found;
  }

  layerFiles(
    reference: string,
    diffId: string,
    request: Parameters<ImagesBackend['layerFiles']>[2],
  ): LayerFilesDocument {
    this.calls.push({ name: 'layerFiles', args: [reference, diffId, request] });
    this.inspect(reference);
    return { files: [], hasMore: false };
  }

  history(reference: string) {
    const { id, tags } = this.inspect(reference);
    return [{ id, createdAt: new Date(1000), createdBy: 'ADD', comment: '', sizeBytes: 9, tags }];
  }

  async *pull(request: PullRequest): AsyncGenerator<Progress> {
    this.calls.push({ name: 'pull', args: [request] });
    if (request.reference.startsWith('missing'))
      throw notFound(`pull access denied for ${request.reference}, repository does not exist`);
    yield { status: `Pulling from ${request.reference}`, id: 'latest' };
    yield { id: 'abc', status: 'Downloading', currentBytes: 5, totalBytes: 10 };
    if (request.reference.startsWith('broken')) throw new Error('the connection broke');
    yield { status: 'Status: Downloaded newer image' };
  }

  async *push(request: PushRequest): AsyncGenerator<Progress> {
    this.calls.push({ name: 'push', args: [request] });
    yield { status: 'Pushed', id: 'abc' };
    yield { aux: { Tag: 'v1', Digest: 'sha256:00', Size: 5 } };
  }

  async tag(reference: string, target: string): Promise<void> {
    this.calls.push({ name: 'tag', args: [reference, target] });
    this.inspect(reference).tags.push(target);
  }

  async remove(reference: string, options: { force: boolean; prune: boolean }) {
    this.calls.push({ name: 'remove', args: [reference, options] });
    const view = this.inspect(reference);
    this.views.splice(this.views.indexOf(view), 1);
    return { untagged: view.tags, deleted: [view.id] };
  }

  async *load(archive: Readable): AsyncGenerator<Progress> {
    let bytes = 0;
    for await (const chunk of archive) bytes += (chunk as Buffer).length;
    yield { stream: `Loaded image: ${bytes} bytes\n` };
  }

  async save(references: string[]): Promise<Readable> {
    return Readable.from([Buffer.from(references.map((name) => this.inspect(name).id).join())]);
  }

  async *importRoot(request: Parameters<ImagesBackend['importRoot']>[0]): AsyncGenerator<Progress> {
    const { archive, ...rest } = request;
    archive.resume();
    this.calls.push({ name: 'importRoot', args: [rest] });
    yield { status: 'sha256:imported' };
  }

  async commit(request: Parameters<ImagesBackend['commit']>[0]): Promise<string> {
    this.calls.push({ name: 'commit', args: [request] });
    return 'sha256:committed';
  }

  async prune(filter: Parameters<ImagesBackend['prune']>[0]) {
    this.calls.push({ name: 'prune', args: [filter] });
    return { untagged: [], deleted: ['sha256:3'], reclaimedBytes: 7 };
  }

  async login(credentials: Parameters<ImagesBackend['login']>[0]) {
    this.calls.push({ name: 'login', args: [credentials] });
    if (credentials.password !== 'secret')
      throw new CortenError('unauthorized', 'unauthorized: incorrect username or password');
    return { identityToken: 'token' };
  }
}

function imageView(digit: string, tags: string[], config: ImageView['config']): ImageView {
  return {
    id: `sha256:${digit.repeat(64)}`,
    tags,
    repoDigests: [],
    createdAt: new Date(Number(digit) * 1000),
    author: '',
    comment: '',
    architecture: 'amd64',
    os: 'linux',
    sizeBytes: 100,
    config,
    diffIds: ['sha256:layer'],
    lowers: ['/layer'],
    lastTaggedAt: undefined,
    containers: 0,
  };
}
