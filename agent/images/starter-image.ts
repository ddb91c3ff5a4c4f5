/** The image that is always there, without any network. */
import { createReadStream } from 'node:fs';
import type { ImageStore } from './store.ts';

export const starterName = 'corten/starter:latest';

/** Loads the starter image from the archive that scripts/starter-image built, unless it is there. */
export async function ensureStarterImage(store: ImageStore, archivePath: string): Promise<void> {
  if (store.find(starterName) !== undefined) return;
  for await (const _ of store.load(createReadStream(archivePath))) {
    // Nobody watches this load; its failure is thrown by the loop.
  }
}
