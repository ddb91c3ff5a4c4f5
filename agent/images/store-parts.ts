/** The parts of the store that pull, push, load, save and the others share. */
import type { BlobStore } from './blobs.ts';
import type { Catalog } from './catalog.ts';
import type { Platform } from './descriptor.ts';
import type { Fetches } from './fetches.ts';
import type { Images } from './images.ts';
import type { LayerStore } from './layers.ts';
import type { Leases } from './leases.ts';
import type { RegistryOptions } from './registry/endpoints.ts';
import type { UnpackPool } from './unpack-pool.ts';

export interface StoreParts {
  root: string;
  blobs: BlobStore;
  layers: LayerStore;
  catalog: Catalog;
  images: Images;
  leases: Leases;
  fetches: Fetches;
  pool: UnpackPool;
  registry: RegistryOptions;
  /** Platform of a multi-platform image when a pull names no other. */
  platform: Platform;
}
