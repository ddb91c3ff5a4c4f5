/** What a person has set but not applied: what of it changes, whether it can be, and when it counts. */
import type { MachineSettings, MachineSettingsView } from '../../bridge/resources.ts';
import { createEdits } from '../../stores/edits.ts';

export type SettingName = keyof MachineSettings;
export type SizeName = keyof MachineSettingsView['bounds'];

export const settingNames = [
  'cpus',
  'memoryBytes',
  'diskBytes',
  'pauseAfterMs',
  'pauseOnBatteryAfterMs',
  'proxiesInContainers',
] as const satisfies readonly SettingName[];

/** By machine. */
export const { useEdits, edit, drop, settle } = createEdits<MachineSettings>();

export function changeOf(
  saved: MachineSettings,
  draft: MachineSettings,
): Partial<MachineSettings> | undefined {
  const names = settingNames.filter((name) => draft[name] !== saved[name]);
  return names.length === 0
    ? undefined
    : Object.fromEntries(names.map((name) => [name, draft[name]]));
}

export function isInside(view: MachineSettingsView, name: SizeName, value: number): boolean {
  const { min, max } = view.bounds[name];
  return value >= min && value <= max;
}

/** A machine that does not run has a next start for everything. */
export type When = 'now' | 'nextStart' | 'restart';

export function planOf(
  view: MachineSettingsView,
  change: Partial<MachineSettings>,
  isUp: boolean,
): { name: SettingName; when: When }[] {
  return settingNames
    .filter((name) => name in change)
    .map((name) => {
      if (!isUp) return { name, when: 'nextStart' };
      return { name, when: view.needsRestart.includes(name) ? 'restart' : 'now' };
    });
}

const minuteMs = 60_000;
const usualPauses: (number | null)[] = [
  ...[1, 5, 15, 30, 60, 120].map((minutes) => minutes * minuteMs),
  null,
];

/** What may be chosen; a value of another hand stays choosable. */
export function pauseChoices(value: number | null): (number | null)[] {
  if (usualPauses.includes(value)) return usualPauses;
  return [...usualPauses, value].sort((a, b) => (a ?? Infinity) - (b ?? Infinity));
}
