/** Puts what a seed says where the agent and the system look for it. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { type MachineSeed, readSeed, seedDiskBytes } from '../contract/machine-seed.ts';

export interface SeedPlaces {
  /** Where the kernel keeps the machine's name. */
  hostname: string;
  etc: string;
  zones: string;
}

const machine: SeedPlaces = {
  hostname: '/proc/sys/kernel/hostname',
  etc: '/etc',
  zones: '/usr/share/zoneinfo',
};

/** Returns the arguments that the seed has for the agent. `root` is the agent's own directory. */
export function applySeed(
  diskPath: string,
  root: string,
  places: SeedPlaces = machine,
): readonly string[] {
  const seed = readSeed(contentOf(diskPath));
  name(seed, places);
  writeKeys(seed, join(root, 'ssh'));
  setTimeZone(seed.timeZone, places);
  return seed.agentArguments ?? [];
}

function contentOf(path: string): Buffer {
  const disk = openSync(path, 'r');
  try {
    const content = Buffer.alloc(seedDiskBytes);
    return content.subarray(0, readSync(disk, content));
  } finally {
    closeSync(disk);
  }
}

function name({ hostname }: MachineSeed, places: SeedPlaces): void {
  writeFileSync(places.hostname, hostname);
  writeFileSync(join(places.etc, 'hostname'), `${hostname}\n`);
  writeFileSync(
    join(places.etc, 'hosts'),
    `127.0.0.1 localhost\n::1 localhost\n127.0.1.1 ${hostname}\n`,
  );
}

/** At every start, so that a key that the host has replaced opens nothing any more. */
function writeKeys({ hostKey, authorizedKeys }: MachineSeed, directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const write = (file: string, text: string) => {
    const path = join(directory, file);
    // Written anew, so that it has this mode whatever was there.
    rmSync(path, { force: true });
    writeFileSync(path, text, { mode: 0o600 });
  };
  write('host_ed25519', hostKey);
  write('authorized_keys', authorizedKeys.map((line) => `${line}\n`).join(''));
}

function setTimeZone(zone: string | undefined, { etc, zones }: SeedPlaces): void {
  // The name becomes a path below the zones.
  if (zone === undefined || !/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+){0,2}$/.test(zone)) return;
  env.TZ = zone;
  const file = join(zones, zone);
  if (!existsSync(file)) return;
  rmSync(join(etc, 'localtime'), { force: true });
  symlinkSync(file, join(etc, 'localtime'));
}
