/** Checks whether this Mac can run the machine, and finds vfkit. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { StageFailure } from '../machine/machine.ts';

export interface VfkitPaths {
  /** The directory of the vfkit that is packaged with the app; it comes before PATH. */
  bundledDirectory?: string;
  searchPath: string;
  hostArchitecture: NodeJS.Architecture;
}

export interface FoundVfkit {
  path: string;
  version: string;
}

/** vfkit supports the newest macOS and the two before it (doc/supported_platforms.md). */
const oldestMacos = 14;
/** The first version with `--pidfile` and the balloon device. */
const oldestVfkit = [0, 6, 0];

export async function findVfkit(paths: VfkitPaths): Promise<FoundVfkit> {
  if (paths.hostArchitecture !== 'arm64')
    throw new StageFailure(
      "Apple's virtualization starts the machine's kernel on Apple silicon only.",
      'Choose QEMU for this machine in its settings.',
    );
  const macos = await firstLine('sw_vers', ['-productVersion'], paths);
  if (macos !== undefined && Number(macos.split('.')[0]) < oldestMacos)
    throw new StageFailure(
      `macOS ${macos} is too old: the machine needs macOS ${oldestMacos} or later.`,
      'Update macOS, or choose QEMU for this machine in its settings.',
    );
  // The value is 0 in a virtual machine without nesting, where the framework refuses every start.
  if ((await firstLine('sysctl', ['-n', 'kern.hv_support'], paths)) === '0')
    throw new StageFailure(
      'This Mac offers no virtualization, as is usual inside another virtual machine.',
      'Run Corten on the Mac itself, or choose QEMU for this machine in its settings: it then runs without acceleration.',
    );
  const path = programIn('vfkit', paths);
  if (path === undefined)
    throw new StageFailure(
      'There is no vfkit on this Mac.',
      'Install the app again, which brings it along, or run "brew install vfkit".',
    );
  const version = await versionOf(path);
  if (isOlder(version, oldestVfkit))
    throw new StageFailure(
      `${path} is too old (${version}); the machine needs ${oldestVfkit.join('.')} or later.`,
      'Run "brew upgrade vfkit", or remove it: the app brings its own.',
    );
  return { path, version };
}

/**
 * vfkit refuses a compressed kernel on Apple silicon, as there is no boot loader that would unpack it
 * (doc/usage.md, "Linux bootloader"). "ARMd" at 0x38 is how the kernel marks itself
 * (Documentation/arch/arm64/booting.rst).
 */
export async function checkKernel(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    const mark = Buffer.alloc(4);
    await file.read(mark, 0, 4, 0x38);
    if (mark.toString('latin1') === 'ARMd') return;
  } finally {
    await file.close();
  }
  throw new StageFailure(
    `The machine's kernel ${path} is no uncompressed arm64 kernel, and Apple's virtualization starts no other.`,
    'Install the app again; from a checkout, run "scripts/vm-image --arch arm64".',
  );
}

async function versionOf(path: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version']);
    return /version: v?(\S+)/.exec(stdout)?.[1] ?? 'unknown';
  } catch (error) {
    throw new StageFailure(
      `${path} cannot be run: ${(error as Error).message.split('\n')[0]}`,
      'If macOS says that it is from an unidentified developer, install the app again, which brings a signed one.',
      { cause: error },
    );
  }
}

/** A version that cannot be read is accepted; a start would report a vfkit that is too old. */
function isOlder(version: string, oldest: readonly number[]): boolean {
  const parts = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number);
  if (parts === undefined) return false;
  const index = oldest.findIndex((part, at) => part !== parts[at]);
  return index >= 0 && (parts[index] ?? 0) < (oldest[index] ?? 0);
}

async function firstLine(
  name: string,
  words: string[],
  paths: VfkitPaths,
): Promise<string | undefined> {
  const program = programIn(name, paths);
  if (program === undefined) return undefined;
  try {
    const { stdout } = await promisify(execFile)(program, words);
    return stdout.split('\n')[0]?.trim();
  } catch {
    // The check only improves the error message; without it the start itself fails.
    return undefined;
  }
}

function programIn(name: string, { bundledDirectory, searchPath }: VfkitPaths): string | undefined {
  const directories = searchPath.split(delimiter).filter((each) => each !== '');
  if (bundledDirectory !== undefined) directories.unshift(bundledDirectory);
  return directories.map((each) => join(each, name)).find((path) => existsSync(path));
}
