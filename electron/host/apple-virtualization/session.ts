/** The state that the files of this folder share. */
import type { MachineSettings } from '../../contract/machine.ts';
import type { MachineDirectory } from '../virtual-machine/directory.ts';
import type { VmProcess } from '../virtual-machine/process.ts';
import type { VfkitPaths } from './find-vfkit.ts';
import type { VfkitControl } from './vfkit-api.ts';

export interface AppleMachineOptions extends Partial<VfkitPaths> {
  /** The directory of the machine's disk, keys and settings. */
  directory: string;
  /** The directory of its sockets. */
  runDirectory: string;
  /** The directory of the arm64 guest image that scripts/vm-image built. */
  imageDirectory: string;
  /** Defaults until the user changes a setting. */
  settings?: Partial<MachineSettings>;
  timeZone?: string;
  /** How long a booting guest may write nothing to its console. */
  timeoutMs?: number;
  /** How long vfkit may take to start the machine. */
  startTimeoutMs?: number;
  /** When the UI notes that a step takes long. */
  slowAfterMs?: number;
  agentArguments?: readonly string[];
}

export interface RunningVfkit {
  process: VmProcess;
  control: VfkitControl;
  settings: MachineSettings;
  pid(): number | undefined;
}

export interface Session {
  options: AppleMachineOptions;
  paths: VfkitPaths;
  files: MachineDirectory;
  defaults(): MachineSettings;
  running: RunningVfkit | undefined;
}
