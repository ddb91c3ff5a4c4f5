/** Finds QEMU, checks its version, and chooses the accelerator. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { lastLines } from '../machine/last-lines.ts';
import { cancelled, StageFailure } from '../machine/machine.ts';
import type { Accelerator, GuestArchitecture } from './command-line.ts';

export interface FoundQemu {
  path: string;
  version: [number, number, number];
  /** The whole first line of `--version`; with the packager's suffix it identifies the build. */
  build: string;
}

/** The version of Debian 12, the oldest supported distribution. */
const oldestVersion: [number, number, number] = [7, 2, 0];
/** From this version on `-accel whpx` boots this guest with these devices. */
const oldestForWhpx: [number, number, number] = [11, 0, 0];

export interface QemuPaths {
  platform: NodeJS.Platform;
  architecture: GuestArchitecture;
  /** This computer's `process.arch`. */
  hostArchitecture: string;
  searchPath: string;
  /** The QEMU that is packaged with the app is tried first. */
  bundledDirectory?: string;
}

const programs: Record<GuestArchitecture, string> = {
  amd64: 'qemu-system-x86_64',
  arm64: 'qemu-system-aarch64',
};

const usualDirectories: Partial<Record<NodeJS.Platform, string[]>> = {
  // An app that was started from the Finder has none of these in its PATH.
  darwin: ['/opt/homebrew/bin', '/usr/local/bin', '/opt/local/bin'],
  win32: ['C:\\Program Files\\qemu'],
};

const installAdvice: Partial<Record<NodeJS.Platform, string>> = {
  darwin: 'Install it with "brew install qemu", then start again.',
  win32: 'Install it with "winget install SoftwareFreedomConservancy.QEMU", then start again.',
};

/** Rejects with StageFailure when QEMU is missing, does not run, or is too old. */
export async function findQemu(paths: QemuPaths, waiting: Waiting): Promise<FoundQemu> {
  const program = programs[paths.architecture] + (paths.platform === 'win32' ? '.exe' : '');
  const directories = [
    ...(paths.bundledDirectory === undefined ? [] : [paths.bundledDirectory]),
    ...paths.searchPath.split(delimiter).filter((directory) => directory !== ''),
    ...(usualDirectories[paths.platform] ?? []),
  ];
  const path = directories.map((directory) => join(directory, program)).find(isProgram);
  if (path === undefined)
    throw new StageFailure(
      `There is no ${program} on this computer, which runs the machine.`,
      installAdvice[paths.platform] ?? linuxAdvice(paths.architecture),
    );
  const build = await firstLineOfVersion(path, waiting);
  const version = versionIn(build);
  if (version === undefined)
    throw new StageFailure(
      `${path} does not say which version of QEMU it is; it said "${build}".`,
      'Install QEMU again, then start again.',
    );
  if (isOlder(version, oldestVersion))
    throw new StageFailure(
      `${path} is QEMU ${version.join('.')}, and the machine needs ${oldestVersion.join('.')} or newer.`,
      `Update QEMU. ${installAdvice[paths.platform] ?? linuxAdvice(paths.architecture)}`,
    );
  return { path, version, build };
}

function linuxAdvice(architecture: GuestArchitecture): string {
  const debian = architecture === 'amd64' ? 'qemu-system-x86' : 'qemu-system-arm';
  const fedora = architecture === 'amd64' ? 'qemu-system-x86-core' : 'qemu-system-aarch64-core';
  return `Install it with "sudo apt install ${debian}" or "sudo dnf install ${fedora}", then start again.`;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface Waiting {
  signal: AbortSignal;
  timeoutMs?: number | undefined;
}

/** The first start after a boot of the computer reads the program from the disk, which can take long. */
const versionTimeoutMs = 120_000;

async function firstLineOfVersion(
  path: string,
  { signal, timeoutMs = versionTimeoutMs }: Waiting,
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], {
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      signal,
    });
    return stdout.split('\n')[0]?.trim() ?? '';
  } catch (error) {
    if (signal.aborted) throw cancelled();
    if ((error as { killed?: boolean }).killed)
      throw new StageFailure(
        `${path} has not printed its version in ${timeoutMs / 1000} s.`,
        'Start it again. If it stays so, the disk that it is on may be slow or broken: restart this computer, or install QEMU again.',
      );
    throw new StageFailure(
      `${path} does not run: ${(error as Error).message.trim()}`,
      'Install QEMU again, then start again.',
      { cause: error },
    );
  }
}

function versionIn(text: string): [number, number, number] | undefined {
  const match = /version (\d+)\.(\d+)\.(\d+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

export function isOlder(a: [number, number, number], b: [number, number, number]): boolean {
  for (const index of [0, 1, 2] as const) if (a[index] !== b[index]) return a[index] < b[index];
  return false;
}

export interface Acceleration {
  /** QEMU tries them in this order. */
  accelerators: Accelerator[];
  /** Tells why the machine will be slow, and what helps. */
  note?: string;
}

export function chooseAcceleration(
  { platform, architecture, hostArchitecture }: QemuPaths,
  { version }: FoundQemu,
  kvmDevice = '/dev/kvm',
): Acceleration {
  const own = { x64: 'amd64', arm64: 'arm64' }[hostArchitecture];
  if (own !== architecture)
    return slow(
      `It emulates another kind of processor (${architecture}) than this computer has, which is slow.`,
    );
  if (platform === 'linux') {
    const problem = kvmProblem(kvmDevice);
    return problem === undefined ? { accelerators: ['kvm', 'tcg'] } : slow(problem);
  }
  if (platform === 'darwin') return { accelerators: ['hvf', 'tcg'] };
  if (platform === 'win32' && !isOlder(version, oldestForWhpx))
    return { accelerators: ['whpx', 'tcg'] };
  return slow(
    platform === 'win32'
      ? `It runs without acceleration: QEMU ${oldestForWhpx.join('.')} or newer has it on Windows.`
      : 'It runs without acceleration, which this system does not offer.',
  );
}

/** `qemuSaid` is QEMU's error when the accelerator seemed to be available and was not. */
export function accelerationFailed(accelerator: Accelerator, qemuSaid: string): string {
  const why = lastLines(qemuSaid, 1).replace(/^\S*qemu-system-\S+ /, '');
  return (
    `It runs without acceleration, which is slow: ${accelerator} does not work here${why === '' ? '' : ` (${why})`}. ` +
    'Turn on virtualization in the firmware (VT-x, AMD-V), or nested virtualization where this is a virtual machine itself.'
  );
}

function slow(note: string): Acceleration {
  return { accelerators: ['tcg'], note };
}

function kvmProblem(device: string): string | undefined {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? `It runs without acceleration: there is no ${device}. Turn on virtualization in the firmware (VT-x, AMD-V) and load the kernel's kvm module.`
      : `It runs without acceleration: ${device} may not be opened. Join its group with "sudo usermod -aG kvm $USER" and log in again.`;
  }
}
