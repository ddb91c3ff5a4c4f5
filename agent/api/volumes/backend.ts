/** Declares what the volume routes need of the engine. */
import type { DiskLimits, SpaceUsage } from '../../contract/limits.ts';
import type { LabelFilter } from '../containers/backend.ts';

export interface VolumesBackend {
  create(request: {
    name?: string;
    driver: string;
    driverOptions: Record<string, string>;
    labels: Record<string, string>;
  }): Promise<VolumeView>;
  list(): VolumeView[];
  inspect(name: string): VolumeView;
  remove(name: string, options: { force: boolean }): Promise<void>;
  prune(filter: {
    all: boolean;
    labels: LabelFilter[];
  }): Promise<{ deleted: string[]; reclaimedBytes: number }>;
  size(name: string): Promise<number>;
  /**
   * Changes limits, also while containers use the volume: an absent limit stays, `null` removes it. A dry run only
   * checks.
   */
  updateLimits(
    name: string,
    change: DiskLimits,
    dryRun?: boolean,
  ): Promise<{ volume: VolumeView; warnings: string[] }>;
  /** Space used, without a walk of the files; `undefined` when no quota counts the volume. */
  diskUsage(name: string): Promise<SpaceUsage | undefined>;
}

export interface VolumeView {
  name: string;
  driver: string;
  mountpoint: string;
  createdAt: Date;
  labels: Record<string, string>;
  options: Record<string, string>;
  anonymous: boolean;
  limits?: DiskLimits;
  /** Containers that mount it, running or not. */
  users: string[];
}
