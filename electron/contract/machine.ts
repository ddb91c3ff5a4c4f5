/** What people set of a machine that the app runs itself, and what it takes of their computer. */

export interface MachineSettings {
  cpus: number;
  /** What the machine can use at most; what it does not use goes back to the computer. */
  memoryBytes: number;
  /** The disk's size as the machine sees it; its file grows with use. It can only become larger. */
  diskBytes: number;
  /** Without any use for so long it pauses; null: never. */
  pauseAfterMs: number | null;
  /** The same while the computer runs on its battery. */
  pauseOnBatteryAfterMs: number | null;
  /** New containers get this computer's proxies in their environment; pulls use them in any case. */
  proxiesInContainers: boolean;
}

export interface MachineSettingsView {
  settings: MachineSettings;
  /** Both ends are allowed. `step`: what a slider moves by. */
  bounds: Record<'cpus' | 'memoryBytes' | 'diskBytes', { min: number; max: number; step: number }>;
  /** Chosen, and in force only once the machine has started again. */
  afterRestart: (keyof MachineSettings)[];
  /** What a running machine takes on only at its next start. */
  needsRestart: readonly (keyof MachineSettings)[];
  /** What cannot be changed here, or not now: why, and what to do. */
  fixed?: Partial<Record<keyof MachineSettings, string>>;
  /** Why compacting may free nothing, and what does. */
  compactAdvice?: string;
}

/** What became of a change. */
export interface MachineChange {
  view: MachineSettingsView;
  /** Of what was changed: in force already, or with the next start of a machine that does not run. */
  applied: (keyof MachineSettings)[];
  /** Of what was changed: in force after the machine has started again. */
  afterRestart: (keyof MachineSettings)[];
}

export interface MachineFigures {
  /** Resident on this computer; absent while the machine is stopped. */
  hostMemoryBytes?: number;
  /** Used inside, without what the kernel only caches; absent while it does not run. */
  guestMemoryBytes?: number;
  /** Processor time since its start, all processors together. */
  cpuMs?: number;
  /** `allocatedBytes` is what the disk's file takes of this computer's disk. */
  disk: { sizeBytes: number; allocatedBytes: number };
  /** What is kept for a fast next start. */
  snapshotBytes: number;
}

export interface MachineImages {
  /** What the machine starts with, by digest. */
  current: string;
  /** What it started with before, and goes back to when `current` does not reach its engine. */
  previous?: string;
}

export interface CompactProgress {
  phase: 'trimming' | 'done';
  /** What the disk's file takes less of this computer's disk than at the beginning. */
  freedBytes: number;
}
