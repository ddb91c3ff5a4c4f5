/** The controls of a machine whose settings are in its record and apply from its next start on. */
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
  /** The settings that a running machine keeps until it is restarted. */
  needsRestart: readonly ('cpus' | 'memoryBytes' | 'diskBytes')[];
  /** The settings that the running machine was started with. */
  inForce(): Partial<MachineSettings> | undefined;
  /** Called before the settings are written; when it rejects they stay unchanged. */
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
      // The record is read again, since it may have changed while the disk was growing.
      const record = read();
      const settings = changedSettings(record.settings, change);
      writeRecord(path, { ...record, settings });
      return view(settings);
    },

    images: () => imagesInUse(read()),
  };
}
