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
import { type MachineSeed, readSeed, seedDiskBytes } from '../../contract/machine-seed.ts';

export interface SeedPaths {
  /** The kernel's file with the machine's name (proc_sys_kernel(5)). */
  hostname: string;
  etc: string;
  zones: string;
}

const machine: SeedPaths = {
  hostname: '/proc/sys/kernel/hostname',
  etc: '/etc',
  zones: '/usr/share/zoneinfo',
};

/** Returns the seed's arguments for the agent. `root` is the agent's state directory. */
export function applySeed(
  diskPath: string,
  root: string,
  paths: SeedPaths = machine,
): readonly string[] {
  const seed = readSeed(contentOf(diskPath));
  name(seed, paths);
  writeKeys(seed, join(root, 'ssh'));
  setTimeZone(seed.timeZone, paths);
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

function name({ hostname }: MachineSeed, paths: SeedPaths): void {
  writeFileSync(paths.hostname, hostname);
  writeFileSync(join(paths.etc, 'hostname'), `${hostname}\n`);
  writeFileSync(
    join(paths.etc, 'hosts'),
    `127.0.0.1 localhost\n::1 localhost\n127.0.1.1 ${hostname}\n`,
  );
}

/** Keys are written at every start, so that a key which the host has replaced grants no access any more. */
function writeKeys({ hostKey, authorizedKeys }: MachineSeed, directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const write = (file: string, text: string) => {
    const path = join(directory, file);
    // An old file is removed first, because `mode` applies only to a new one.
    rmSync(path, { force: true });
    writeFileSync(path, text, { mode: 0o600 });
  };
  write('host_ed25519', hostKey);
  write('authorized_keys', authorizedKeys.map((line) => `${line}\n`).join(''));
}

function setTimeZone(zone: string | undefined, { etc, zones }: SeedPaths): void {
  // The name becomes a path below `zones`, so it must not lead out of it.
  if (zone === undefined || !/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+){0,2}$/.test(zone)) return;
  env.TZ = zone;
  const file = join(zones, zone);
  if (!existsSync(file)) return;
  rmSync(join(etc, 'localtime'), { force: true });
  symlinkSync(file, join(etc, 'localtime'));
}
