/** `machine.json`: a machine's settings, and which guest images it has used. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { MachineSettings, MachineSettingsView } from '../../contract/machine.ts';
import { SettingRefused, StageFailure } from '../machine/machine.ts';

export interface MachineRecord {
  version: 1;
  settings: MachineSettings;
  images: {
    current?: string;
    previous?: string;
    /** The image of a start whose engine has not answered yet. */
    trying?: string;
    /** An image whose engine did not answer; it is not tried again. */
    refused?: string;
  };
}

const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;

/** The guest boots with 160 MiB; the engine and a few containers need this much. */
const leastMemoryBytes = 512 * mebibyte;
/** Memory that the computer itself keeps. */
const hostMemoryBytes = gibibyte;
const leastDiskBytes = 4 * gibibyte;
const largestDiskBytes = 2048 * gibibyte;

export function defaultSettings(): MachineSettings {
  const half = Math.floor(totalmem() / 2 / gibibyte) * gibibyte;
  return {
    cpus: availableParallelism(),
    // This is a limit: memory that the guest does not use stays with the computer.
    memoryBytes: Math.max(leastMemoryBytes, Math.min(half, 8 * gibibyte)),
    diskBytes: 64 * gibibyte,
    pauseAfterMs: 30 * 60_000,
    pauseOnBatteryAfterMs: 5 * 60_000,
    // Docker too gives proxies to containers only by a setting (~/.docker/config.json).
    proxiesInContainers: false,
  };
}

export function settingBounds(current: MachineSettings): MachineSettingsView['bounds'] {
  const memory = Math.max(leastMemoryBytes, totalmem() - hostMemoryBytes);
  return {
    cpus: { min: 1, max: availableParallelism(), step: 1 },
    memoryBytes: {
      min: leastMemoryBytes,
      max: stepped(memory, 256 * mebibyte),
      step: 256 * mebibyte,
    },
    diskBytes: {
      min: Math.max(leastDiskBytes, current.diskBytes),
      max: largestDiskBytes,
      step: gibibyte,
    },
  };
}

function stepped(value: number, step: number): number {
  return Math.floor(value / step) * step;
}

/** Returns the changed settings. Throws SettingRefused for an impossible value. */
export function changedSettings(
  current: MachineSettings,
  change: Partial<MachineSettings>,
): MachineSettings {
  const bounds = settingBounds(current);
  for (const name of ['cpus', 'memoryBytes', 'diskBytes'] as const) {
    const value = change[name];
    if (value === undefined) continue;
    const { min, max } = bounds[name];
    if (!Number.isSafeInteger(value) || value < min || value > max)
      throw new SettingRefused(name, refusal(name, value, min, max, current));
  }
  for (const name of ['pauseAfterMs', 'pauseOnBatteryAfterMs'] as const) {
    const value = change[name];
    if (value !== undefined && value !== null && !(Number.isSafeInteger(value) && value >= 1000))
      throw new SettingRefused(name, 'The time until a pause is at least one second, or never.');
  }
  if (change.proxiesInContainers !== undefined && typeof change.proxiesInContainers !== 'boolean')
    throw new SettingRefused(
      'proxiesInContainers',
      'The setting proxiesInContainers is true or false.',
    );
  const known = Object.keys(current) as (keyof MachineSettings)[];
  const said = Object.entries(change).filter(
    ([name, value]) => value !== undefined && known.includes(name as keyof MachineSettings),
  );
  return { ...current, ...Object.fromEntries(said) };
}

function refusal(
  name: 'cpus' | 'memoryBytes' | 'diskBytes',
  value: number,
  min: number,
  max: number,
  current: MachineSettings,
): string {
  if (name === 'cpus') return `A machine can have ${min} to ${max} processors here, not ${value}.`;
  if (name === 'diskBytes' && value < current.diskBytes)
    return `The machine's disk has ${inGib(current.diskBytes)} and can only become larger: its file takes no more than what is used.`;
  return `The machine's ${name === 'memoryBytes' ? 'memory' : 'disk'} can be ${inGib(min)} to ${inGib(max)} here, not ${inGib(value)}.`;
}

function inGib(bytes: number): string {
  return `${Number((bytes / gibibyte).toFixed(2))} GiB`;
}

/** Throws StageFailure for an unreadable file instead of using defaults, which could lose the machine's disk. */
export function readRecord(path: string, defaults: () => MachineSettings): MachineRecord {
  if (!existsSync(path)) return { version: 1, settings: defaults(), images: {} };
  try {
    const { version, settings, images } = JSON.parse(readFileSync(path, 'utf8')) as MachineRecord;
    if (version !== 1) throw new Error(`it has version ${version}, and this app knows version 1`);
    return { version, settings: { ...defaults(), ...settings }, images: images ?? {} };
  } catch (error) {
    throw new StageFailure(
      `The machine's settings ${path} cannot be read: ${(error as Error).message}`,
      'Repair the file, or remove it: the machine then starts with default settings and keeps its disk.',
      { cause: error },
    );
  }
}

export function writeRecord(path: string, record: MachineRecord): void {
  // The settings of a machine can be changed before its first start, which makes its directory.
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** `inForce` are the settings that the running machine was started with. */
export function settingsView(
  settings: MachineSettings,
  needsRestart: readonly ('cpus' | 'memoryBytes' | 'diskBytes')[],
  inForce: Partial<MachineSettings> | undefined,
): MachineSettingsView {
  const waits = (name: keyof MachineSettings) => settings[name] !== inForce?.[name];
  return {
    settings,
    bounds: settingBounds(settings),
    needsRestart,
    afterRestart: inForce === undefined ? [] : needsRestart.filter(waits),
  };
}

export function imagesInUse({ images: { current, previous } }: MachineRecord) {
  return current === undefined
    ? undefined
    : { current, ...(previous !== undefined && { previous }) };
}
