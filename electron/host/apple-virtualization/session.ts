/** What the parts of a machine under vfkit know of it. */
import type { MachineSettings } from '../../contract/machine.ts';
import type { MachineDirectory } from '../virtual-machine/directory.ts';
import type { VmProcess } from '../virtual-machine/process.ts';
import type { VfkitPaths } from './find-vfkit.ts';
import type { VfkitControl } from './vfkit-api.ts';

export interface AppleMachineOptions extends Partial<VfkitPaths> {
  /** The machine's own: disk, keys, settings. */
  directory: string;
  /** For its sockets. */
  runDirectory: string;
  /** What scripts/vm-image built for arm64. */
  imageDirectory: string;
  /** The first start's; later ones are what the person chose. */
  settings?: Partial<MachineSettings>;
  timeZone?: string;
  /** Between two signs of life of a guest that boots. */
  timeoutMs?: number;
  /** Until a vfkit that lives has started the machine. */
  startTimeoutMs?: number;
  /** When it is said that something takes long. */
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
