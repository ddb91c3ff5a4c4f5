/** A Mac for one test: a machine's folders, an arm64 image of three small files, and a vfkit that is none. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMachine } from '../../machine/lifecycle.ts';
import type { Machine } from '../../machine/machine.ts';
import { appleBackend } from '../backend.ts';
import type { AppleMachineOptions } from '../session.ts';

const program = join(import.meta.dirname, 'fake-vfkit.ts');

export interface MacFacts {
  macos: string;
  /** What `sysctl kern.hv_support` says. */
  virtualization: '0' | '1';
  vfkit: string | undefined;
}

export class Mac implements AsyncDisposable {
  readonly base = mkdtempSync(join(tmpdir(), 'mac-'));
  readonly directory = join(this.base, 'machine');
  readonly options: AppleMachineOptions;
  readonly machine: Machine;

  constructor(facts: Partial<MacFacts> = {}, change: Partial<AppleMachineOptions> = {}) {
    const { macos = '15.6', virtualization = '1', vfkit = 'v0.6.3' } = facts;
    mkdirSync(this.directory);
    const bin = join(this.base, 'bin');
    mkdirSync(bin);
    this.#script(join(bin, 'sw_vers'), `echo ${macos}`);
    this.#script(join(bin, 'sysctl'), `echo ${virtualization}`);
    if (!('vfkit' in facts) || facts.vfkit !== undefined)
      this.#script(
        join(bin, 'vfkit'),
        `export FAKE_VFKIT_VERSION='${vfkit}' NODE_COMPILE_CACHE='${join(tmpdir(), 'corten-compile-cache')}'\n` +
          `exec '${process.execPath}' --disable-warning=ExperimentalWarning '${program}' "$@"`,
      );
    const imageDirectory = join(this.base, 'image');
    writeImage(imageDirectory, 'one');
    this.options = {
      directory: this.directory,
      runDirectory: join(this.base, 'run'),
      imageDirectory,
      hostArchitecture: 'arm64',
      searchPath: bin,
      settings: { cpus: 1, memoryBytes: 512 * 1024 ** 2, diskBytes: 4 * 1024 ** 3 },
      ...change,
    };
    this.machine = createMachine({ backend: appleBackend(this.options) });
  }

  behave(behaviour: object): void {
    writeFileSync(join(this.directory, 'behaviour.json'), JSON.stringify(behaviour));
  }

  /** What every vfkit was started with and asked. */
  asked(): { pid?: number; words?: string[]; change?: string }[] {
    const path = join(this.directory, 'asked.jsonl');
    if (!existsSync(path)) return [];
    return readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  pids(): number[] {
    return this.asked().flatMap(({ pid }) => (pid !== undefined && isAlive(pid) ? [pid] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.behave({});
    await this.machine.stop({ force: true });
    rmSync(this.base, { recursive: true, force: true });
  }

  #script(path: string, text: string): void {
    writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
}

/** As scripts/vm-image leaves one; the kernel has the mark that arm64's have. */
export function writeImage(directory: string, words: string, mark = 'ARMd'): void {
  mkdirSync(directory, { recursive: true });
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const name of ['Image', 'initrd', 'root.erofs']) {
    const content = `${'\0'.repeat(0x38)}${mark} ${name} ${words}`;
    writeFileSync(join(directory, name), content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    files[name] = { bytes: content.length, sha256 };
  }
  writeFileSync(
    join(directory, 'manifest.json'),
    JSON.stringify({ files, kernelArguments: ['quiet', 'a.b=1,2'] }),
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
