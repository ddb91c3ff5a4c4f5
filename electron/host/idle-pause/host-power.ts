/**
 * Whether this computer runs on battery, from /sys/class/power_supply
 * (Documentation/ABI/testing/sysfs-class-power), for the browser shell; Electron has an API of its
 * own. A system without that directory counts as plugged in.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The computer's power source. */
export interface HostPower {
  isOnBattery(): boolean;
}

export function hostPower(directory = '/sys/class/power_supply'): HostPower {
  return { isOnBattery: () => isOnBattery(suppliesIn(directory)) };
}

interface Supply {
  isBattery: boolean;
  /** True when an adapter, or a USB port, supplies power to the computer. */
  isOnline: boolean;
  status: string;
}

/**
 * Some adapters have no entry in the directory, and a USB port that supplies a device looks like one
 * without an adapter; so the batteries' status decides where no adapter is online.
 */
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
    // The battery of a mouse does not supply the computer.
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
    // Only Linux has this directory, and not on every computer.
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Each kind of supply has only some of the files, and they vanish when it is unplugged.
    return '';
  }
}
