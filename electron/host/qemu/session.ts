/** What the parts of a QEMU machine know of it. */
import type { MachineSettings } from '../../contract/machine.ts';
import type { MachineDirectory } from '../virtual-machine/directory.ts';
import type { Line } from '../virtual-machine/process.ts';
import type { QemuPlan } from './command-line.ts';
import type { QemuHold } from './disk-hold.ts';
import type { FoundQemu, QemuPaths } from './find-qemu.ts';
import type { Qmp } from './qmp.ts';

export interface QemuMachineOptions extends Partial<QemuPaths> {
  /** The machine's own: disk, keys, settings. */
  directory: string;
  /** For its sockets. */
  runDirectory: string;
  /** What scripts/vm-image built for the guest's architecture. */
  imageDirectory: string;
  /** The first start's; later ones are what the person chose. */
  settings?: Partial<MachineSettings>;
  timeZone?: string;
  /** Until a QEMU that lives has answered. */
  startTimeoutMs?: number;
  /** When it is said that something takes long. */
  slowAfterMs?: number;
  /** Between two signs of life of a guest that boots. */
  timeoutMs?: number;
  /** How long a machine that is asked to end may take. */
  powerOffTimeoutMs?: number;
  kvmDevice?: string;
  agentArguments?: readonly string[];
  /** Whether a stop keeps the memory for a fast start; true where QEMU can. */
  suspends?: boolean;
  /** Of the disk that holds a directory. */
  freeBytes?(directory: string): number;
}

export interface Session {
  options: QemuMachineOptions;
  paths: QemuPaths;
  files: MachineDirectory;
  defaults(): MachineSettings;
  running: RunningQemu | undefined;
}

/** A running QEMU, and what is needed to speak to it and to end it. */
export interface RunningQemu {
  qmp: Qmp;
  hold: QemuHold;
  ssh: Line;
  found: FoundQemu;
  /** In force since its start. */
  plan: QemuPlan;
  ended: Promise<string>;
  kill(): Promise<void>;
  pid(): number | undefined;
}
