/** The controls of a machine whose settings are in its record: they hold from its next start on. */
import type { MachineSettings } from '../../contract/machine.ts';
import type { MachineControls } from '../machine/machine.ts';
import {
  changedSettings,
  imagesInUse,
  type MachineRecord,
  readRecord,
  settingsView,
  writeRecord,
} from './record.ts';

export interface Recorded {
  path: string;
  defaults: () => MachineSettings;
  /** What a machine that runs keeps until it is started anew. */
  needsRestart: readonly ('cpus' | 'memoryBytes' | 'diskBytes')[];
  /** What the machine that runs was started with. */
  inForce(): Partial<MachineSettings> | undefined;
  /** Before it is written; what it throws leaves the settings as they were. */
  apply?(settings: MachineSettings, before: MachineSettings): Promise<void>;
}

export function recordedSettings({
  path,
  defaults,
  needsRestart,
  inForce,
  apply,
}: Recorded): Pick<MachineControls, 'settings' | 'change' | 'images'> {
  const read = (): MachineRecord => readRecord(path, defaults);
  const view = (settings: MachineSettings) => settingsView(settings, needsRestart, inForce());
  return {
    settings: () => view(read().settings),

    async change(change) {
      const before = read().settings;
      await apply?.(changedSettings(before, change), before);
      // Others may have been set, or another image proved, while the disk grew.
      const record = read();
      const settings = changedSettings(record.settings, change);
      writeRecord(path, { ...record, settings });
      return view(settings);
    },

    images: () => imagesInUse(read()),
  };
}
