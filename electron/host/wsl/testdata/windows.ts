/** A Windows for one test: the stand-in for wsl.exe with a folder of its own. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import tar from 'tar-stream';
import type { WslMachineOptions } from '../backend.ts';
import type { WslProgram } from '../command.ts';
import type { RootImage } from '../root-image.ts';
import type { FakeDistribution, FakeWindows } from './fake-wsl.ts';

const testdata = import.meta.dirname;
const usual: FakeWindows = {
  package: 'store',
  version: '2.6.1.0',
  language: 'en',
  knowsUtf8: true,
  virtualization: true,
  networkingMode: 'nat',
  fail: {},
};

export class Windows implements Disposable {
  /** Short, as sockets lie in it. */
  readonly home = mkdtempSync(join(tmpdir(), 'wsl-'));
  readonly wsl: WslProgram;
  readonly #guest: string;

  /** `real`: what is imported runs, in namespaces of its own; the guest's stand-in otherwise. */
  constructor(settings: Partial<FakeWindows> = {}, { real = false } = {}) {
    this.#guest = real ? '' : join(testdata, 'fake-wsl-guest.ts');
    this.become(settings);
    this.forget();
    this.wsl = this.#program();
  }

  /** With a system that holds no more than it must. */
  async machine(): Promise<WslMachineOptions> {
    const image = await this.image({});
    return {
      wsl: this.wsl,
      api: undefined,
      name: 'corten',
      directory: join(this.home, 'm'),
      image: () => image,
      hostname: 'corten',
      agentArguments: [],
    };
  }

  async image(files: Record<string, string>): Promise<RootImage> {
    const pack = tar.pack();
    pack.entry({ name: 'var/lib/corten/', type: 'directory' });
    pack.entry({ name: 'run/', type: 'directory' });
    for (const [name, text] of Object.entries(files)) pack.entry({ name }, text);
    pack.finalize();
    const packed = zstdCompressSync(await buffer(pack));
    const sha256 = createHash('sha256').update(packed).digest('hex');
    const path = join(this.home, `${sha256.slice(0, 8)}.tar.zst`);
    writeFileSync(path, packed);
    return { path, sha256 };
  }

  /** The command lines so far that have this word. */
  calls(word: string): string[][] {
    return readFileSync(join(this.home, 'calls'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as string[])
      .filter((words) => words.includes(word));
  }

  forget(): void {
    writeFileSync(join(this.home, 'calls'), '');
  }

  /** As somebody in a terminal would. */
  run(words: string[]): void {
    const [file, ...first] = this.wsl;
    spawnSync(file, [...first, ...words], { stdio: 'ignore' });
  }

  change(name: string, changes: Partial<FakeDistribution>): void {
    const path = join(this.home, 'distributions', `${name}.json`);
    const known = JSON.parse(readFileSync(path, 'utf8')) as FakeDistribution;
    writeFileSync(path, JSON.stringify({ ...known, ...changes }));
  }

  /** Another kind of Windows from now on. */
  become(settings: Partial<FakeWindows>): void {
    writeFileSync(join(this.home, 'settings.json'), JSON.stringify({ ...usual, ...settings }));
  }

  /** No call with this word comes back from now on; none: all do. */
  hangAt(word: string): void {
    writeFileSync(join(this.home, 'hang'), word);
  }

  /** What runs in a distribution. */
  processes(name = 'corten'): string[] {
    const place = join(this.home, 'sessions', name);
    if (!existsSync(place)) return [];
    return readdirSync(place).filter((pid) => existsSync(`/proc/${pid}`));
  }

  [Symbol.dispose](): void {
    this.run(['--shutdown']);
    rmSync(this.home, { recursive: true, force: true });
  }

  #program(): WslProgram {
    const bin = mkdtempSync(join(this.home, 'bin-'));
    mkdirSync(bin, { recursive: true });
    const path = join(bin, 'wsl.exe');
    // Each call starts Node twice.
    const cache = join(tmpdir(), 'corten-compile-cache');
    writeFileSync(
      path,
      `#!/bin/sh\nexport FAKE_WSL='${this.home}' FAKE_WSL_GUEST='${this.#guest}' NODE_COMPILE_CACHE='${cache}'\n` +
        'hang=$(cat "$FAKE_WSL/hang" 2>/dev/null)\n' +
        'for each; do [ "$each" != "$hang" ] || exec sleep 600; done\n' +
        `exec '${process.execPath}' --disable-warning=ExperimentalWarning '${join(testdata, 'fake-wsl.ts')}' "$@"\n`,
      { mode: 0o755 },
    );
    return [path];
  }
}
