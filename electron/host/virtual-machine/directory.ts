/** The files of a virtual machine on this computer (docs/machines.md has the table). */
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
  /** The directory of its sockets, whose paths must be short. */
  run: string;
  qmpSocket: string;
  sshSocket: string;
  /** The current and the previous guest image, one directory for each digest. */
  images: string;
}

/** A sockaddr_un has 108 bytes for the path and its zero byte on Linux, 104 on macOS (unix(4)). */
const longestSocketPathBytes = { linux: 107, darwin: 103 } as Partial<
  Record<NodeJS.Platform, number>
>;

export function machineDirectory(options: {
  /** The directory of this one machine. */
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
    // Holes in a raw file are free space at once; on NTFS QEMU punches none, so Windows uses qcow2.
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

/** Throws StageFailure for a directory that cannot be made, and for a path that is too long for a socket. */
export function makeDirectories(paths: MachineDirectory, platform: NodeJS.Platform): void {
  const longest = longestSocketPathBytes[platform];
  const length = Buffer.byteLength(paths.qmpSocket);
  if (longest !== undefined && length > longest)
    throw new StageFailure(
      `The path ${paths.qmpSocket} is too long for a socket: it has ${length} bytes, and ${longest} are possible.`,
      'Choose a shorter directory for the sockets with --run DIR.',
    );
  for (const directory of [paths.path, paths.run, paths.images]) {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new StageFailure(
        `The machine's directory ${directory} cannot be made: ${(error as Error).message}`,
        'Change its owner to you, or choose another one with --root DIR.',
        { cause: error },
      );
    }
  }
}
