/** The machine's devices, by the names that the host gave them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A virtio disk by its serial number; undefined when the machine has none. */
export function findDisk(serial: string, directory = '/sys/block'): string | undefined {
  return find(directory, 'serial', serial);
}

/** A virtio-serial port by its name. */
export function findPort(name: string, directory = '/sys/class/virtio-ports'): string | undefined {
  return find(directory, 'name', name);
}

function find(directory: string, file: string, value: string): string | undefined {
  const name = entries(directory).find((entry) => text(join(directory, entry, file)) === value);
  return name === undefined ? undefined : `/dev/${name}`;
}

/** A class of devices that the kernel does not know has no directory. */
function entries(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** Disks of other kinds have no serial number to read. */
function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
