/** Runs containers of the busybox root for tests, with the mounts and masks that an engine asks for. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { OciProcess, OciSpec } from '../../contract/oci-runtime.ts';
import { createRuntime } from '../linux-runtime.ts';
import type {
  ExitRecord,
  LaunchRequest,
  PrepareRequest,
  RunningProcess,
  Runtime,
} from '../runtime.ts';
import { makeBusyboxRootfs } from './busybox-rootfs.ts';

const repository = resolve(import.meta.dirname, '../../..');
/** scripts/shim-check runs these tests with one that is built with sanitizers. */
export const shimPath = process.env.CORTEN_TEST_SHIM ?? join(repository, 'dist/shim/shim');

/** Not the engine's default, nor any kernel's. */
export const sliceMicros = 700;

export const containerEnv = ['PATH=/usr/local/bin:/usr/bin:/bin', 'HOME=/root', 'TERM=xterm'];

export function testProcess(args: string[], changes: Partial<OciProcess> = {}): OciProcess {
  const capabilities = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'];
  return {
    user: { uid: 0, gid: 0 },
    args,
    env: containerEnv,
    cwd: '/',
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: true,
    ...changes,
  };
}

export function testSpec(process: OciProcess, linux: Partial<OciSpec['linux']> = {}): OciSpec {
  return {
    ociVersion: '1.2.0',
    process,
    root: { path: 'rootfs' },
    hostname: 'tester',
    mounts: [
      { destination: '/proc', type: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev',
        type: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      { destination: '/sys', type: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        options: ['nosuid', 'noexec', 'nodev', 'ro'],
      },
      { destination: '/dev/mqueue', type: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
      },
    ],
    linux: {
      namespaces: (['pid', 'network', 'mount', 'ipc', 'uts', 'cgroup'] as const).map((type) => ({
        type,
      })),
      maskedPaths: [
        '/proc/kcore',
        '/proc/keys',
        '/proc/timer_list',
        '/proc/scsi',
        '/proc/acpi',
        '/sys/firmware',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      ...linux,
    },
  };
}

/** Where the ids of {@link remap}'s containers begin outside. */
export const firstId = 0x7000_0000;

/** The same with a user namespace of its own: ids 0 to 65535 are those from `outside` on. */
export function remap(spec: OciSpec, outside = firstId): OciSpec {
  const mapping = [{ containerID: 0, hostID: outside, size: 65536 }];
  const namespaces = [...spec.linux.namespaces, { type: 'user' } as const];
  const linux = { ...spec.linux, namespaces, uidMappings: mapping, gidMappings: mapping };
  return { ...spec, linux };
}

/** One runtime and one directory for everything that a test makes. */
export class TestBench {
  readonly root: string;
  readonly runtime: Runtime;
  #count = 0;

  readonly #remapped: boolean;

  private constructor(root: string, runtime: Runtime, remapped: boolean) {
    this.root = root;
    this.runtime = runtime;
    this.#remapped = remapped;
  }

  /** `remapped`: every container has a user namespace. */
  static async open({ remapped = false } = {}): Promise<TestBench> {
    const root = mkdtempSync(join(tmpdir(), 'corten-runtime-'));
    makeBusyboxRootfs(join(root, 'image'));
    return new TestBench(root, await createRuntime({ shimPath, sliceMicros }), remapped);
  }

  async close(): Promise<void> {
    await this.runtime.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Directories for one container. */
  place(): { run: string; log: string; upper: string; work: string } {
    const base = join(this.root, `c${++this.#count}`);
    const place = {
      run: join(base, 'run'),
      log: join(base, 'log'),
      upper: join(base, 'upper'),
      work: join(base, 'work'),
    };
    for (const directory of Object.values(place)) mkdirSync(directory, { recursive: true });
    return place;
  }

  async start(
    asked: OciSpec,
    changes: Partial<LaunchRequest> = {},
    preparing: Partial<PrepareRequest> = {},
  ): Promise<{ running: RunningProcess; log: string; run: string; upper: string }> {
    const spec = this.#remapped ? remap(asked) : asked;
    const { run, log, upper, work } = this.place();
    const lowers = [join(this.root, 'image')];
    const launching: LaunchRequest = {
      spec,
      runDirectory: run,
      placement: { procsFds: [] },
      log: { directory: log, maxBytes: 0, maxFiles: 0 },
      openStdin: false,
      init: false,
      ...changes,
    };
    const sandbox = await this.runtime.prepare({
      spec,
      rootfs: { kind: 'overlay', lowers, upper, work },
      cgroupPaths: new Map(),
      // As the engine does.
      meanwhile: () => launching,
      ...preparing,
    });
    const running = await this.runtime.launch(sandbox, launching);
    return { running, log, run, upper };
  }

  /** Runs to the end and returns what it wrote. */
  async run(
    spec: OciSpec,
    changes: Partial<LaunchRequest> = {},
    preparing: Partial<PrepareRequest> = {},
  ): Promise<{ exit: ExitRecord; stdout: string; stderr: string; upper: string }> {
    const { running, log, upper } = await this.start(spec, changes, preparing);
    const exit = await running.exited;
    return { exit, ...readLog(log), upper };
  }
}

/** The framed log's text, by stream. */
export function readLog(directory: string): { stdout: string; stderr: string; records: number } {
  const chunks: [Buffer[], Buffer[]] = [[], []];
  let records = 0;
  for (const name of readdirSync(directory).sort()) {
    const bytes = readFileSync(join(directory, name));
    for (let at = 0; at < bytes.length; records++) {
      const length = bytes.readUInt32LE(at + 8);
      if (bytes.readUInt16LE(at + 14) !== 0x4c43) throw new Error(`no record at ${at} of ${name}`);
      chunks[bytes.readUInt8(at + 12) === 1 ? 0 : 1].push(
        bytes.subarray(at + 16, at + 16 + length),
      );
      at += 16 + length;
    }
  }
  const [stdout, stderr] = chunks.map((parts) => Buffer.concat(parts).toString('utf8'));
  return { stdout: stdout!, stderr: stderr!, records };
}
