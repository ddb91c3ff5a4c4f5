/** Declares what the machine routes need of the virtual machine that runs the agent. */

export interface MachineBackend {
  /** Steps the clock when it is off by more than a tenth of a second. */
  setClock(hostTimeMs: number): { offsetMs: number; stepped: boolean };
  /** Throws `invalid` for a name that is not in the time zone database. */
  setTimeZone(name: string): void;
  /** Resolves when everything written so far is on the disk (sync(2)). */
  sync(): Promise<void>;
  /** Discards the file system's free blocks, so that the host gets them back (fstrim(8)). */
  trim(): Promise<{ trimmedBytes: number }>;
  /** Grows the file system to the size of its disk (xfs_growfs(8)). */
  grow(): Promise<{ sizeBytes: number }>;
  /** Drops the kernel's caches and returns free memory to the host. */
  freeMemory(): void;
  /** Reseeds the kernel's random numbers, so that a machine resumed from saved memory draws none twice. */
  reseed(): void;
  /** Stops the containers as `docker stop` does, then powers off. Returns before either has happened. */
  powerOff(): void;
  figures(): MachineFigures;
}

export interface MachineFigures {
  memoryTotalBytes: number;
  /** Excludes memory that the kernel can reclaim. */
  memoryUsedBytes: number;
  diskSizeBytes: number;
  diskUsedBytes: number;
  timeMs: number;
}
