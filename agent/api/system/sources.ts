/** What the system routes read from. */
import type { ContainersBackend } from '../containers/backend.ts';
import type { ImagesBackend } from '../images/backend.ts';
import type { VolumesBackend } from '../volumes/backend.ts';
import type { SystemBackend } from './backend.ts';

export interface SystemSources {
  system: SystemBackend;
  containers: ContainersBackend;
  images: ImagesBackend;
  volumes: VolumesBackend;
  /** Corten's own version, such as `0.1.0`. */
  productVersion: string;
  /** Whether clients may build through BuildKit's gRPC services. */
  hasBuildKit: boolean;
}
