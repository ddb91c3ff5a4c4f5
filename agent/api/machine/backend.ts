/** What the host asks of the machine that it runs the agent in. */

export interface MachineBackend {
  /** Steps the clock when it is off by more than a tenth of a second. */
  setClock(hostTimeMs: number): { offsetMs: number; stepped: boolean };
  /** Throws invalid for a name that the time zone database does not have. */
  setTimeZone(name: string): void;
  /** Everything written so far reaches the disk. */
  sync(): Promise<void>;
  /** What the file system does not use goes back to the host. */
  trim(): Promise<{ trimmedBytes: number }>;
  /** The file system becomes as large as its disk. */
  grow(): Promise<{ sizeBytes: number }>;
  /** What the kernel only caches becomes free, and so the host's. */
  freeMemory(): void;
  /** After the machine's memory was saved: what has been drawn before is not drawn again. */
  reseed(): void;
  /** In good order: containers end as `docker stop` ends them. Answers before it happens. */
  powerOff(): void;
  figures(): MachineFigures;
}

export interface MachineFigures {
  memoryTotalBytes: number;
  /** Without what the kernel gives up by itself. */
  memoryUsedBytes: number;
  diskSizeBytes: number;
  diskUsedBytes: number;
  timeMs: number;
}
