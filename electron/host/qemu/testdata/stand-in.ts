/** A machine directory, a guest image of three small files, and the fake QEMU. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMachine, type MachineOptions } from '../../machine/lifecycle.ts';
import type { Machine } from '../../machine/machine.ts';
import { qemuBackend } from '../backend.ts';
import type { QemuMachineOptions } from '../session.ts';

export interface StandIn {
  directory: string;
  options: QemuMachineOptions;
  machine: Machine;
  behave(behaviour: object): void;
  /** The command lines and requests of every fake QEMU since the last `forget`. */
  asked(): Record<string, unknown>[];
  forget(): void;
  pids(): number[];
  remove(): Promise<void>;
}

export interface StandInMachine extends Pick<MachineOptions, 'timeouts' | 'companions' | 'power'> {
  version?: string;
}

const program = join(import.meta.dirname, 'fake-qemu.ts');

export function standIn(
  change: Partial<QemuMachineOptions> = {},
  { version = '10.0.13', ...machineOptions }: StandInMachine = {},
): StandIn {
  const base = mkdtempSync(join(tmpdir(), 'corten-qemu-'));
  const directory = join(base, 'machine');
  mkdirSync(directory);
  const programs = join(base, 'bin');
  installFakeQemu(programs, version);
  const imageDirectory = join(base, 'image');
  writeImage(imageDirectory, 'one');
  const options: QemuMachineOptions = {
    directory,
    runDirectory: join(base, 'run'),
    imageDirectory,
    platform: 'linux',
    architecture: 'amd64',
    hostArchitecture: 'x64',
    searchPath: programs,
    settings: { cpus: 1, memoryBytes: 512 * 1024 ** 2, diskBytes: 4 * 1024 ** 3 },
    suspends: false,
    ...change,
  };
  const machine = createMachine({ backend: qemuBackend(options), ...machineOptions });
  const askedFile = join(directory, 'asked.jsonl');
  const asked = () =>
    existsSync(askedFile)
      ? readFileSync(askedFile, 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line))
      : [];
  return {
    directory,
    options,
    machine,
    behave: (behaviour) =>
      writeFileSync(join(directory, 'behaviour.json'), JSON.stringify(behaviour)),
    asked,
    forget: () => rmSync(askedFile, { force: true }),
    pids: () =>
      asked().flatMap(({ pid }) => (typeof pid === 'number' && isAlive(pid) ? [pid] : [])),
    async remove() {
      await machine.stop({ force: true });
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** Installs the fake under QEMU's own names into a directory for PATH. */
export function installFakeQemu(directory: string, version = '10.0.13'): void {
  mkdirSync(directory, { recursive: true });
  for (const name of ['qemu-system-x86_64', 'qemu-system-aarch64'])
    writeFileSync(
      join(directory, name),
      `#!/bin/sh\nexport FAKE_QEMU_VERSION='${version}'\nexec '${process.execPath}' --disable-warning=ExperimentalWarning '${program}' "$@"\n`,
      { mode: 0o755 },
    );
}

/** Writes a guest image as scripts/vm-image does, with short texts as contents. */
export function writeImage(directory: string, words: string): void {
  mkdirSync(directory, { recursive: true });
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const name of ['vmlinux', 'initrd', 'root.erofs']) {
    const content = `${name} ${words}`;
    writeFileSync(join(directory, name), content);
    files[name] = {
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    };
  }
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify({ files }));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
