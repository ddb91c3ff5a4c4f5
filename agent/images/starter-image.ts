/** The starter image, which is available without a network. */
import { createReadStream } from 'node:fs';
import type { ImageStore } from './store.ts';

export const starterName = 'corten/starter:latest';

/** Loads the starter image from the archive of scripts/starter-image, unless it exists. */
export async function ensureStarterImage(store: ImageStore, archivePath: string): Promise<void> {
  if (store.find(starterName) !== undefined) return;
  for await (const _ of store.load(createReadStream(archivePath))) {
    // No client reads the progress; the loop throws the load's error.
  }
}
