/** The state that the files of this folder share. */
import type { MachineSettings } from '../../contract/machine.ts';
import type { MachineDirectory } from '../virtual-machine/directory.ts';
import type { Line } from '../virtual-machine/process.ts';
import type { QemuPlan } from './command-line.ts';
import type { QemuHold } from './disk-hold.ts';
import type { FoundQemu, QemuPaths } from './find-qemu.ts';
import type { Qmp } from './qmp.ts';

export interface QemuMachineOptions extends Partial<QemuPaths> {
  /** The directory of the machine's disk, keys and settings. */
  directory: string;
  /** The directory of its sockets. */
  runDirectory: string;
  /** The directory of the guest image that scripts/vm-image built. */
  imageDirectory: string;
  /** Defaults until the user changes a setting. */
  settings?: Partial<MachineSettings>;
  timeZone?: string;
  /** How long QEMU may take to answer on its socket. */
  startTimeoutMs?: number;
  /** When the UI notes that a step takes long. */
  slowAfterMs?: number;
  /** How long a booting guest may write nothing to its console. */
  timeoutMs?: number;
  /** How long a machine may take to power off. */
  powerOffTimeoutMs?: number;
  kvmDevice?: string;
  agentArguments?: readonly string[];
  /** Whether a stop saves the memory for a fast start; by default where QEMU can. */
  suspends?: boolean;
  /** Free space of the file system that holds a directory, in bytes. */
  freeBytes?(directory: string): number;
}

export interface Session {
  options: QemuMachineOptions;
  paths: QemuPaths;
  files: MachineDirectory;
  defaults(): MachineSettings;
  running: RunningQemu | undefined;
}

/** A running QEMU, its connections and its process. */
export interface RunningQemu {
  qmp: Qmp;
  hold: QemuHold;
  ssh: Line;
  found: FoundQemu;
  /** The settings of its start. */
  plan: QemuPlan;
  ended: Promise<string>;
  kill(): Promise<void>;
  pid(): number | undefined;
}
