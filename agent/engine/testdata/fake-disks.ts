/** Spaces that are plain directories, with limits that nobody holds anyone to. */
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskLimits, SpaceUsage } from '../../contract/limits.ts';
import type { DiskDriver, MakeSpace, OpenSpace, SpaceDirectory } from '../../disk/disk.ts';

export class FakeDisks implements DiskDriver {
  readonly kind = 'loop';
  freeOfCost = false;
  amongLayers: true | undefined;
  /** What every space holds. */
  usedBytes = 1;
  /** Thrown by the next steps of that name. */
  failPrepare: Error | undefined;
  failMake: Error | undefined;
  failUpdate: Error | undefined;
  /** Limits of each space that there is. */
  readonly spaces = new Map<string, DiskLimits>();
  readonly attached = new Set<string>();
  /** Spaces that were opened and not closed. */
  opened = 0;

  async prepare(limits: DiskLimits, directories: readonly SpaceDirectory[]): Promise<MakeSpace> {
    if (this.failPrepare) throw this.failPrepare;
    return (space) => {
      if (this.failMake) throw this.failMake;
      mkdirSync(space);
      for (const { name, mode } of directories) mkdirSync(join(space, name), { mode });
      this.spaces.set(space, limits);
    };
  }

  open(space: string): OpenSpace {
    this.opened++;
    return { path: space, mountFd: undefined, close: () => this.opened-- };
  }

  attach(space: string): void {
    this.attached.add(space);
  }

  detach(space: string): void {
    this.attached.delete(space);
  }

  check(): void {
    if (this.failUpdate) throw this.failUpdate;
  }

  update(space: string, _before: DiskLimits, after: DiskLimits): void {
    if (this.failUpdate) throw this.failUpdate;
    this.spaces.set(space, after);
  }

  usage(space: string): SpaceUsage {
    const { maxBytes, maxInodes } = this.spaces.get(space) ?? {};
    return {
      usedBytes: this.usedBytes,
      usedInodes: 1,
      maxBytes: maxBytes ?? undefined,
      maxInodes: maxInodes ?? undefined,
    };
  }

  close(): void {}

  async remove(space: string): Promise<void> {
    this.spaces.delete(space);
    await rm(space, { recursive: true, force: true });
  }
}
