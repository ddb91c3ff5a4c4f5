/** The machine's devices, by the names that the host gave them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A virtio disk by its serial number; undefined when the machine has none. */
export function findDisk(serial: string, directory = '/sys/block'): string | undefined {
  return find(directory, 'serial', serial);
}

/** A virtio-serial port by its name. */
export function findPort(name: string, directory = '/sys/class/virtio-ports'): string | undefined {
  return find(directory, 'name', name);
}

/** vm-image/guest/data-disk makes this file once the disk is mounted, and turns the machine off where it cannot be. */
export async function dataDiskMounted(mark = '/run/corten-data-disk'): Promise<void> {
  while (!existsSync(mark)) await sleep(10);
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
