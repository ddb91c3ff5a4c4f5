/** What the volume routes need from the engine. */
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
  /** Absent keeps, `null` takes away; while containers use it, too. A dry run only answers. */
  updateLimits(
    name: string,
    change: DiskLimits,
    dryRun?: boolean,
  ): Promise<{ volume: VolumeView; warnings: string[] }>;
  /** Without a walk; undefined for a volume that nothing counts. */
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
  /** Containers, running or not, that mount it. */
  users: string[];
}
