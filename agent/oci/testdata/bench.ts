/** Bundles of the busybox root for tests, and the command as its callers run it. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { detectCgroupDriver } from '../../cgroup/detect.ts';
import type { OciHooks, OciProcess, OciSpec } from '../../contract/oci-runtime.ts';
import { makeBusyboxRootfs } from '../../runtime/testdata/busybox-rootfs.ts';
import { testProcess, testSpec } from '../../runtime/testdata/test-container.ts';

const program = resolve(import.meta.dirname, '../../../scripts/oci-runtime');

export interface ConfigChanges {
  process?: Partial<OciProcess>;
  linux?: Partial<OciSpec['linux']>;
  hooks?: OciHooks;
  /** Laid over the finished document, whatever the types say. */
  other?: Record<string, unknown>;
}

export class OciBench {
  readonly root: string;
  readonly #bundles: string;
  readonly #parent: string;
  #count = 0;

  constructor() {
    const base = mkdtempSync(join(tmpdir(), 'corten-oci-'));
    this.root = join(base, 'root');
    this.#bundles = join(base, 'bundles');
    // Two test files at once must not count each other's groups.
    this.#parent = basename(base);
    makeBusyboxRootfs(join(this.#bundles, 'rootfs'));
  }

  /** Ends whatever a failed test has left. */
  close(): void {
    for (const id of this.containers()) this.oci('delete', '--force', id);
    detectCgroupDriver({ parent: this.#parent }).removeParent();
    rmSync(join(this.root, '..'), { recursive: true, force: true });
  }

  /** A bundle whose program is `args`; its root is shared with all the others. */
  bundle(args: string[], changes: ConfigChanges = {}): { id: string; path: string } {
    const id = `test-${++this.#count}`;
    const path = join(this.#bundles, id);
    mkdirSync(path);
    const spec = {
      ...testSpec(testProcess(args, changes.process), {
        cgroupsPath: `/${this.#parent}/${id}`,
        ...changes.linux,
      }),
      root: { path: '../rootfs' },
      ...(changes.hooks && { hooks: changes.hooks }),
      ...changes.other,
    };
    writeFileSync(join(path, 'config.json'), JSON.stringify(spec));
    return { id, path };
  }

  /** Where a path of the container's root lies on the machine. */
  inRoot(path: string): string {
    return join(this.#bundles, 'rootfs', path);
  }

  /** Its output goes to files: whom a detached one leaves behind would keep a pipe open, and us waiting. */
  oci(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    const [out, err] = ['out', 'err'].map((name) => join(this.root, '..', name)) as [
      string,
      string,
    ];
    const fds = [out, err].map((path) => openSync(path, 'w'));
    try {
      const { status } = spawnSync(program, ['--root', this.root, ...args], {
        stdio: ['ignore', ...fds],
        timeout: 120_000,
      });
      return { status, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') };
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  }

  /** As {@link oci}, with stdout and stderr of the container in files of the bundle. */
  create({ id, path }: { id: string; path: string }, ...options: string[]) {
    const command = `exec "$0" "$@" </dev/null >${path}/stdout 2>${path}/stderr`;
    const args = ['--root', this.root, 'create', '--bundle', path, ...options, id];
    const { status } = spawnSync('/bin/sh', ['-c', command, program, ...args]);
    return { status, stderr: readFileSync(join(path, 'stderr'), 'utf8') };
  }

  ok(...args: string[]): string {
    const { status, stdout, stderr } = this.oci(...args);
    if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
    return stdout;
  }

  status(id: string): string {
    return JSON.parse(this.ok('state', id)).status;
  }

  async until(id: string, status: string): Promise<void> {
    for (let now = ''; now !== status; await sleep(20)) {
      now = this.status(id);
      if (now === 'stopped' && status !== 'stopped') throw new Error(`${id} has ended`);
    }
  }

  /** Waits until a container that {@link create} made has written this. */
  async written({ id, path }: { id: string; path: string }, wanted: RegExp): Promise<void> {
    while (!wanted.test(readFileSync(join(path, 'stdout'), 'utf8'))) {
      if (this.status(id) === 'stopped') throw new Error(`${id} has ended without a word`);
      await sleep(20);
    }
  }

  /** Runs to the end; what the program wrote. */
  run(args: string[], changes: ConfigChanges = {}) {
    const { id, path } = this.bundle(args, changes);
    return this.oci('run', '--bundle', path, id);
  }

  /** Directories of containers, which is also what a failure must not leave. */
  containers(): string[] {
    return existsSync(this.root) ? readdirSync(this.root) : [];
  }

  cgroups(): string[] {
    return detectCgroupDriver({ parent: this.#parent }).list();
  }

  cgroupPaths(id: string): ReadonlyMap<string, string> {
    return detectCgroupDriver({ parent: this.#parent }).open(id).paths;
  }

  cgroupFile(controller: string, id: string, file: string): string {
    const paths = this.cgroupPaths(id);
    return readFileSync(`${paths.get(controller) ?? paths.get('')}/${file}`, 'utf8').trim();
  }
}
