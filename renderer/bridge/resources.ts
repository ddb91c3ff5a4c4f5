/** What a machine may use of this computer, what it does use, and making its disk smaller. */
import type {
  CompactProgress,
  MachineChange,
  MachineFigures,
  MachineSettings,
  MachineSettingsView,
} from '../../electron/contract/machine.ts';
import { host } from './bridge.ts';
import { currentLook, whileLooking } from './look.ts';

export type {
  CompactProgress,
  MachineChange,
  MachineFigures,
  MachineSettings,
  MachineSettingsView,
};

/** Undefined where the app sets nothing. */
export function getSettings(): Promise<MachineSettingsView | undefined> {
  const look = currentLook();
  return whileLooking(look, host().request('machine.settings', { machine: look.machine }));
}

export function changeSettings(settings: Partial<MachineSettings>): Promise<MachineChange> {
  const look = currentLook();
  return whileLooking(look, host().request('machine.change', { machine: look.machine, settings }));
}

export function watchMachineFigures(signal: AbortSignal): AsyncIterable<MachineFigures> {
  return host().stream('machine.figures', { machine: currentLook().machine }, signal);
}

export function compactDisk(signal: AbortSignal): AsyncIterable<CompactProgress> {
  return host().stream('machine.compact', { machine: currentLook().machine }, signal);
}
