/** The machine's distribution, which wsl.exe imports, finds, stops and removes. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { StageFailure } from '../machine/machine.ts';
import { callWsl, type WslCallOptions, type WslProgram } from './command.ts';
import { wslFailure } from './failures.ts';
import type { WslApi } from './wslapi.ts';

/** Unpacking 130 MB takes long on a slow disk with a virus scanner. */
const importTimeoutMs = 600_000;

/** `ext4.vhdx` lies in the folder that the import named (LXSS_VM_MODE_VHD_NAME). */
const diskFile = 'ext4.vhdx';

export interface DistributionPlace {
  wsl: WslProgram;
  /** Absent where wslapi.dll cannot be loaded; wsl.exe is used instead. */
  api: WslApi | undefined;
  name: string;
  /** The directory of the distribution's disk, which contains nothing else. */
  directory: string;
}

export class Distribution {
  readonly name: string;
  readonly diskPath: string;
  readonly #place: DistributionPlace;

  constructor(place: DistributionPlace) {
    this.#place = place;
    this.name = place.name;
    this.diskPath = join(place.directory, diskFile);
  }

  /**
   * The distribution's version of WSL; undefined when it does not exist. Rejects with StageFailure when
   * its name belongs to a distribution that the app did not make.
   */
  async version(signal?: AbortSignal): Promise<1 | 2 | undefined> {
    if (this.#place.api?.isRegistered(this.name) === false) return undefined;
    // wsl.exe fails when no distribution is registered, and then prints no such line.
    const { output } = await this.#call(['--list', '--verbose'], { signal });
    const version = listedVersion(output, this.name);
    if (version === undefined || existsSync(this.diskPath)) return version;
    throw new StageFailure(
      `WSL has a distribution called "${this.name}" that this app did not make: its disk is not in ${this.#place.directory}.`,
      `Give the machine another name, or remove that distribution with "wsl --unregister ${this.name}" if nothing in it is needed: this deletes all its files.`,
    );
  }

  async isRunning(signal?: AbortSignal): Promise<boolean> {
    // `--quiet` prints names only, which are not translated.
    const { output } = await this.#call(['--list', '--running', '--quiet'], { signal });
    return output.split('\n').some((line) => line.trim() === this.name);
  }

  /** Imports `root`, an uncompressed tar. A failed or cancelled import leaves nothing registered. */
  async import(root: Readable, signal: AbortSignal): Promise<void> {
    mkdirSync(this.#place.directory, { recursive: true });
    const words = ['--import', this.name, this.#place.directory, '-', '--version', '2'];
    try {
      const options = { input: root, signal, timeoutMs: importTimeoutMs };
      await this.#must(words, 'make', options);
    } catch (error) {
      // The signal is left out here, because it may have ended the import.
      const isLeft = await this.version().catch(() => undefined);
      if (isLeft !== undefined) await this.unregister().catch(() => {});
      throw error;
    }
  }

  /** Ends everything that runs in the distribution (`wsl --terminate`). */
  async terminate(): Promise<void> {
    await this.#must(['--terminate', this.name], 'stop');
  }

  /** Deletes the distribution with all its files (`wsl --unregister`). */
  async unregister(): Promise<void> {
    await this.#must(['--unregister', this.name], 'remove', { timeoutMs: importTimeoutMs });
  }

  /**
   * Grows the disk and its file system; it must be stopped. From version 2.5
   * (https://learn.microsoft.com/windows/wsl/disk-space).
   */
  async resize(sizeBytes: number): Promise<void> {
    await this.#must(['--manage', this.name, '--resize', `${sizeBytes}B`], 'resize', {
      timeoutMs: importTimeoutMs,
    });
  }

  /** Runs a program in the distribution as root and resolves with its output. Rejects when it fails. */
  async run(command: readonly string[], doing: string, options?: WslCallOptions): Promise<string> {
    return (await this.#must(this.wordsFor(command), doing, options)).output;
  }

  /** wsl.exe's arguments for a program in the distribution; `--exec` runs it without a shell. */
  wordsFor(command: readonly string[]): string[] {
    return ['--distribution', this.name, '--user', 'root', '--cd', '/', '--exec', ...command];
  }

  #call(words: string[], options?: WslCallOptions) {
    return callWsl(this.#place.wsl, words, options);
  }

  async #must(words: string[], doing: string, options?: WslCallOptions) {
    const answer = await this.#call(words, options);
    if (answer.code !== 0) throw wslFailure(answer, this.name, doing);
    return answer;
  }
}

/** Each line is `* NAME   STATE   VERSION`; the state may be translated, but never ends with a digit. */
export function listedVersion(output: string, name: string): 1 | 2 | undefined {
  for (const line of output.split('\n')) {
    const [, listed, version] = /^[* ]?\s*(\S+)\s+.*\s([12])\s*$/.exec(line) ?? [];
    if (listed === name) return Number(version) as 1 | 2;
  }
  return undefined;
}
