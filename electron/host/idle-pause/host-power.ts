/**
 * What this computer runs on, for a shell that has no better way to know: Linux' own files
 * (Documentation/ABI/testing/sysfs-class-power). Elsewhere it counts as plugged in.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the computer runs on, as the desktop shell knows it. */
export interface HostPower {
  isOnBattery(): boolean;
}

export function hostPower(directory = '/sys/class/power_supply'): HostPower {
  return { isOnBattery: () => isOnBattery(suppliesIn(directory)) };
}

interface Supply {
  isBattery: boolean;
  /** Of an adapter, or a port that may take power. */
  isOnline: boolean;
  status: string;
}

/** Not every adapter is shown, and a port that gives power looks like one without an adapter. */
function isOnBattery(supplies: readonly Supply[]): boolean {
  const batteries = supplies.filter(({ isBattery }) => isBattery);
  const others = supplies.filter(({ isBattery }) => !isBattery);
  if (others.some(({ isOnline }) => isOnline)) return false;
  if (batteries.some(({ status }) => status === 'Discharging')) return true;
  const isFed = batteries.some(({ status }) => status === 'Charging');
  return batteries.length > 0 && others.length > 0 && !isFed;
}

function suppliesIn(directory: string): Supply[] {
  return namesIn(directory).flatMap((name) => {
    const read = (file: string) => textOf(join(directory, name, file));
    // A mouse's battery says nothing of the computer.
    if (read('scope') === 'Device') return [];
    return {
      isBattery: read('type') === 'Battery',
      isOnline: read('online') === '1',
      status: read('status'),
    };
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Another system, or a computer without any of them.
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Each kind has some of the files, and one that was unplugged has none.
    return '';
  }
}
