/** The agent's command line. */
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readByteSize } from './contract/byte-size.ts';
import { type DefaultDisk, minDiskBytes } from './contract/limits.ts';
import { defaultDirectories } from './contract/user-directories.ts';
import { type IdBlock, rangeLength } from './engine/containers/id-range.ts';
import { invalid } from './errors.ts';

export interface AgentOptions {
  root: string;
  run: string;
  socket: string;
  /** Absent: the SSH server is reached by its unix socket only. */
  ssh: { host: string; port: number } | undefined;
  /** Absent: no device leads to the SSH server. */
  sshDevice: string | undefined;
  /** Absent: the host does not reach the SSH server over vsock(7). */
  sshVsock: number | undefined;
  registryMirrors: string[];
  insecureRegistries: string[];
  /** Absent: containers have a user namespace only when they ask for it. */
  usernsRemap: 'auto' | IdBlock | undefined;
  /** Of each new container's writable layer. */
  defaultDisk: DefaultDisk;
  /** Of the machine, which all containers together leave free; undefined: a share of it. */
  leaveMemoryBytes: number | undefined;
  /** How long the turns of containers on a processor are; undefined: as the kernel has them. */
  cpuSliceMicros: number | undefined;
  /** The machine is the app's own: its clock, disk and power are asked for through the API. */
  machine: boolean;
  /**
   * Absent: this machine is no guest. `gateway`: where its default route leads. `shared`: it has the
   * addresses and ports of the computer around it, as in WSL's mirrored mode.
   */
  hostAddress: string | undefined;
}

export const usage = `Runs the engine alone, in the foreground.

Usage: scripts/agent [OPTION…]

  --root DIR                state: containers, images, volumes (default /var/lib/corten,
                            or $XDG_DATA_HOME/corten of an ordinary user)
  --run DIR                 sockets and what else ends with the machine (default /run/corten,
                            or $XDG_RUNTIME_DIR/corten)
  --socket PATH             the Docker Engine API (default <run>/docker.sock)
  --ssh HOST:PORT           the SSH server on TCP too; port 0 takes a free one
  --ssh-vsock PORT          the SSH server for the host of this virtual machine too (vsock)
  --ssh-device PATH         the SSH server on a character device too, such as a virtio-serial port
  --registry-mirror URL     ask this mirror of docker.io first; may be repeated
  --insecure-registry HOST  allow plain HTTP and any certificate; may be repeated
  --userns-remap[=auto]     root in a container is nobody outside, unless it asks for --userns=host
  --userns-remap=FIRST:LENGTH   the same with these user and group ids, 65536 for each container
  --default-disk SIZE       disk space of each new container that asks for none itself, such as 10g, or
                            "none" (default: seven eighths of what is free, where project quota can
                            hold it, and else for all of them together)
  --leave-memory SIZE       memory that all containers together leave to the machine, such as 1g (default:
                            an eighth of it, at most 8g); 0 leaves none
  --cpu-slice MICROSECONDS  how long a container's turn on a processor is while others wait, 100 to
                            100000 (default 1000), or "kernel"; the sum of its turns stays its share.
                            But for "kernel" turns end in time: while containers contend the scheduler
                            is made to look every millisecond, and who uses little has shorter turns
  --machine                 this machine is the agent's own: the API sets its clock and turns it off
  --host-address ADDRESS    this machine is a guest: where it reaches the computer around it, for
                            host.corten.internal; "gateway" is where the default route leads, and
                            what --machine means; "shared" where both have the same addresses and ports

When it is ready it prints one JSON line: {"event":"ready","socket":…,"ssh":…}. SIGTERM ends the
agent; containers go on, and the next agent on the same directories takes them up again.

Example: scripts/agent --root /tmp/corten --run /tmp/corten/run`;

/** Undefined when the command line asks for help. Throws invalid for one that makes no sense. */
export function parseOptions(args: readonly string[]): AgentOptions | undefined {
  const { values } = parse(args);
  if (values.help) return undefined;
  const defaults = defaultDirectories({
    uid: process.getuid?.() ?? 0,
    home: homedir(),
    environment: process.env,
  });
  const run = directory(values.run ?? defaults.run);
  return {
    root: directory(values.root ?? defaults.root),
    run,
    socket: values.socket === undefined ? join(run, 'docker.sock') : resolve(values.socket),
    ssh: values.ssh === undefined ? undefined : parseAddress(values.ssh),
    sshVsock: vsockPort(values['ssh-vsock']),
    sshDevice: values['ssh-device'] === undefined ? undefined : resolve(values['ssh-device']),
    registryMirrors: values['registry-mirror'] ?? [],
    insecureRegistries: values['insecure-registry'] ?? [],
    usernsRemap: parseRemap(values['userns-remap']),
    defaultDisk: diskSize(values['default-disk']),
    leaveMemoryBytes: memorySize(values['leave-memory']),
    cpuSliceMicros: cpuSlice(values['cpu-slice']),
    machine: values.machine ?? false,
    hostAddress: hostAddress(values['host-address'] ?? (values.machine ? 'gateway' : undefined)),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      // Its value is optional, which parseArgs does not know.
      args: args.map((arg) => (arg === '--userns-remap' ? '--userns-remap=auto' : arg)),
      options: {
        root: { type: 'string' },
        run: { type: 'string' },
        socket: { type: 'string' },
        ssh: { type: 'string' },
        'ssh-device': { type: 'string' },
        'ssh-vsock': { type: 'string' },
        'registry-mirror': { type: 'string', multiple: true },
        'insecure-registry': { type: 'string', multiple: true },
        'userns-remap': { type: 'string' },
        'default-disk': { type: 'string' },
        'leave-memory': { type: 'string' },
        'cpu-slice': { type: 'string' },
        machine: { type: 'boolean' },
        'host-address': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw invalid(`${(error as Error).message}\n\n${usage}`, error);
  }
}

/** The bounds are the kernel's (__setparam_fair, kernel/sched/fair.c); it would bend what lies beyond. */
function cpuSlice(text = '1000'): number | undefined {
  if (text === 'kernel') return undefined;
  const micros = /^\d{3,6}$/.test(text) ? Number(text) : 0;
  if (micros < 100 || micros > 100_000)
    throw invalid(`--cpu-slice takes 100 to 100000 microseconds, or "kernel", not "${text}"`);
  return micros;
}

/**
 * One spelling for one directory: names in the kernel are made from it, and two spellings must not
 * become two agents.
 */
function directory(path: string): string {
  const absolute = resolve(path);
  if (!existsSync(absolute)) mkdirSync(absolute, { recursive: true, mode: 0o700 });
  return realpathSync(absolute);
}

/** Ids end below 2^32 - 1, which stands for none (setresuid(2)); 0 is the machine's root. */
function parseRemap(text: string | undefined): AgentOptions['usernsRemap'] {
  if (text === undefined || text === 'auto') return text;
  const [, first, length] = (/^(\d{1,10}):(\d{1,10})$/.exec(text) ?? []).map(Number);
  if (
    first === undefined ||
    length === undefined ||
    first < 1 ||
    length < rangeLength ||
    first + length > 0xffff_ffff
  )
    throw invalid(
      `--userns-remap takes FIRST:LENGTH, such as 100000:655360, with at least ${rangeLength} ids and without 0, or auto; not "${text}".`,
    );
  return { first, length };
}

function diskSize(text = 'share'): DefaultDisk {
  if (text === 'share' || text === 'none') return text;
  const bytes = readByteSize(text);
  if (bytes === undefined || bytes < minDiskBytes)
    throw invalid(
      `--default-disk takes a size of 4m or more, such as 10g, or "none", not "${text}".`,
    );
  return bytes;
}

function memorySize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = readByteSize(text);
  if (bytes === undefined)
    throw invalid(`--leave-memory takes a size such as 1g, or 0, not "${text}".`);
  return bytes;
}

function hostAddress(text: string | undefined): string | undefined {
  if (text !== undefined && text !== 'gateway' && text !== 'shared' && !isIPv4(text))
    throw invalid(`--host-address takes an IPv4 address, "gateway" or "shared", not "${text}".`);
  return text;
}

/** Ports below 1024 are root's, and all of 32 bits but the last one are ports (vsock(7)). */
function vsockPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!/^\d{1,10}$/.test(text) || port === 0 || port >= 0xffff_ffff)
    throw invalid(`--ssh-vsock takes a port such as 1024, not "${text}".`);
  return port;
}

function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw invalid(`--ssh takes HOST:PORT, such as 127.0.0.1:2222, not "${text}".`);
  return { host: match[1] ?? match[2] ?? '', port };
}
