/** A store with one small image that is always there. */
import type { ImageConfig } from '../../contract/image.ts';
import type { ImageStore, StoredImage } from '../../images/store.ts';

export const starterId = `sha256:${'5'.repeat(64)}`;

export class FakeImages implements ImageStore {
  config: ImageConfig = { Cmd: ['/bin/sh'], Env: ['PATH=/bin'], Labels: { from: 'image' } };
  readonly images: StoredImage[];

  constructor() {
    this.images = [
      {
        id: starterId,
        tags: ['corten/starter:latest'],
        repoDigests: [],
        createdAt: new Date(0),
        author: '',
        comment: '',
        architecture: 'amd64',
        os: 'linux',
        sizeBytes: 1000,
        config: this.config,
        diffIds: [],
        lowers: [import.meta.dirname],
        lastTaggedAt: undefined,
      },
    ];
  }

  list(): StoredImage[] {
    return this.images;
  }
  find(reference: string): StoredImage | undefined {
    const image = this.images.find(
      ({ id, tags }) => id === reference || tags.some((tag) => tag.startsWith(reference)),
    );
    return image && { ...image, config: this.config };
  }
  async untag(name: string): Promise<void> {
    for (const image of this.images) image.tags = image.tags.filter((tag) => tag !== name);
  }
  async delete(id: string) {
    const index = this.images.findIndex((image) => image.id === id);
    this.images.splice(index, 1);
    return { deleted: [id], reclaimedBytes: 1000 };
  }
  async tag(id: string, name: string): Promise<void> {
    this.images.find((image) => image.id === id)?.tags.push(name);
  }
  layerSizes(): Map<string, number> {
    return new Map();
  }
  async sweep(): Promise<void> {}
  history = refuse;
  pull = refuse;
  push = refuse;
  login = refuse;
  load = refuse;
  save = refuse;
  commitLayer = refuse;
}

function refuse(): never {
  throw new Error('not asked for in these tests');
}
