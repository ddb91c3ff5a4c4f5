/** Where a machine keeps its own on this computer (docs/machines.md has the table). */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { StageFailure } from '../machine/machine.ts';

export interface MachineDirectory {
  path: string;
  settings: string;
  keys: string;
  seed: string;
  dataDisk: string;
  snapshot: string;
  consoleLog: string;
  qemuLog: string;
  /** Sockets, which have short paths. */
  run: string;
  qmpSocket: string;
  sshSocket: string;
  /** What the machine starts with and what it started with before, by digest. */
  images: string;
}

/** sockaddr_un's path with its zero byte: 108 on Linux, 104 on macOS (unix(4)). */
const longestSocketPathBytes = { linux: 107, darwin: 103 } as Partial<
  Record<NodeJS.Platform, number>
>;

export function machineDirectory(options: {
  /** Of one machine. */
  directory: string;
  runDirectory: string;
  platform: NodeJS.Platform;
}): MachineDirectory {
  const { directory, runDirectory: run, platform } = options;
  const at = (name: string) => join(directory, name);
  return {
    path: directory,
    settings: at('machine.json'),
    keys: at('keys'),
    seed: at('seed.img'),
    // A raw file gives punched holes back at once, and NTFS has no holes that QEMU would punch.
    dataDisk: at(platform === 'win32' ? 'data.qcow2' : 'data.raw'),
    snapshot: at('memory.snapshot'),
    consoleLog: at('console.log'),
    qemuLog: at('qemu.log'),
    run,
    qmpSocket: join(run, 'qmp.sock'),
    sshSocket: join(run, 'ssh.sock'),
    images: at('images'),
  };
}

/** Throws StageFailure for directories that cannot be made, and for paths that no socket can have. */
export function makeDirectories(places: MachineDirectory, platform: NodeJS.Platform): void {
  const longest = longestSocketPathBytes[platform];
  const length = Buffer.byteLength(places.qmpSocket);
  if (longest !== undefined && length > longest)
    throw new StageFailure(
      `The path ${places.qmpSocket} is too long for a socket: it has ${length} bytes, and ${longest} are possible.`,
      'Choose a shorter directory for the sockets with --run DIR.',
    );
  for (const directory of [places.path, places.run, places.images]) {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new StageFailure(
        `The machine's directory ${directory} cannot be made: ${(error as Error).message}`,
        'Make it belong to you, or choose another one with --root DIR.',
        { cause: error },
      );
    }
  }
}
