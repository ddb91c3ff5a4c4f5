/** Finds the machine's devices by the names that the host gave them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Path of the virtio disk with this serial number; `undefined` when the machine has none. */
export function findDisk(serial: string, directory = '/sys/block'): string | undefined {
  return find(directory, 'serial', serial);
}

/** Path of the virtio-serial port with this name; `undefined` when the machine has none. */
export function findPort(name: string, directory = '/sys/class/virtio-ports'): string | undefined {
  return find(directory, 'name', name);
}

/** packaging/vm-image/guest/data-disk creates this file once the disk is mounted, and turns the machine off when mounting fails. */
export async function dataDiskMounted(mark = '/run/corten-data-disk'): Promise<void> {
  while (!existsSync(mark)) await sleep(10);
}

function find(directory: string, file: string, value: string): string | undefined {
  const name = entries(directory).find((entry) => text(join(directory, entry, file)) === value);
  return name === undefined ? undefined : `/dev/${name}`;
}

/** Names in a directory of sysfs, which is absent for a class of devices that the kernel does not know. */
function entries(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** A file's text; `undefined` when it is absent, as the serial number of other kinds of disks is. */
function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
