/** QEMU's command line for a machine, as a pure function of its plan (qemu(1)). */
import type { LinePlace } from '../virtual-machine/process.ts';

export type GuestArchitecture = 'amd64' | 'arm64';
export type Accelerator = 'kvm' | 'hvf' | 'whpx' | 'tcg';

export interface QemuPlan {
  architecture: GuestArchitecture;
  /** Accelerators in the order in which QEMU tries them. */
  accelerators: readonly Accelerator[];
  cpus: number;
  memoryBytes: number;
  kernel: string;
  initrd: string;
  kernelArguments: readonly string[];
  rootImage: string;
  seed: string;
  dataDisk: { path: string; format: 'raw' | 'qcow2' };
  consoleLog: string;
  /** QEMU listens on these sockets, or connects to them where Node has no unix sockets (Windows). */
  qmp: LinePlace;
  ssh: LinePlace;
  /** True where QEMU waits for a snapshot instead of booting (`-incoming defer`). */
  restores: boolean;
}

export function qemuArguments(plan: QemuPlan): string[] {
  return [
    // The user's QEMU configuration and default devices are switched off, so every machine is the same.
    ...['-no-user-config', '-nodefaults', '-display', 'none'],
    ...['-name', 'corten', '-machine', machine(plan)],
    ...plan.accelerators.flatMap((accelerator) => ['-accel', acceleration(accelerator, plan)]),
    ...['-cpu', cpu(plan), '-smp', String(plan.cpus)],
    ...['-m', `${Math.floor(plan.memoryBytes / mebibyte)}M`],
    ...['-kernel', plan.kernel, '-initrd', plan.initrd, '-append', kernelArguments(plan)],
    ...monitor(plan.qmp),
    ...console(plan),
    // The first port is a console's. QEMU's default of 31 ports costs the guest 4 MB of queues.
    ...device('virtio-serial-pci', { id: 'ports', max_ports: '2' }),
    ...chardev('ssh', plan.ssh),
    ...device('virtserialport', { bus: 'ports.0', chardev: 'ssh', name: 'ssh.0' }),
    ...disk('root', { path: plan.rootImage, format: 'raw', readOnly: true }),
    ...disk('data', { ...plan.dataDisk, readOnly: false }),
    ...disk('seed', { path: plan.seed, format: 'raw', readOnly: true }),
    ...['-netdev', 'user,id=net', ...device('virtio-net-pci', { netdev: 'net', romfile: '' })],
    ...['-object', randomSource(), ...device('virtio-rng-pci', { rng: 'random' })],
    // Memory that the guest frees is returned to this computer (free page reporting).
    ...device('virtio-balloon-pci', { 'free-page-reporting': 'on', id: 'balloon' }),
    // The device tells a restored guest that it is a copy, so that it reseeds its random generator.
    ...(plan.architecture === 'amd64' ? device('vmgenid', { guid: 'auto' }) : []),
    ...(plan.restores ? ['-incoming', 'defer'] : []),
  ];
}

const mebibyte = 1024 * 1024;

function acceleration(accelerator: Accelerator, { memoryBytes }: QemuPlan): string {
  if (accelerator === 'whpx') return 'whpx,kernel-irqchip=off';
  return accelerator === 'tcg'
    ? `tcg,thread=multi,tb-size=${translationMebibytes(memoryBytes)}`
    : accelerator;
}

/**
 * Size of TCG's buffer of translated code in MiB, which ends up in this computer's memory. A boot fills
 * 128. A larger machine runs more programs, and a buffer that is too small translates them repeatedly.
 */
function translationMebibytes(memoryBytes: number): number {
  return Math.min(512, Math.max(128, Math.round(memoryBytes / mebibyte / 8)));
}

/** q35 is used under emulation too, because microvm hangs in the TSC calibration on a busy host. */
function machine({ architecture, accelerators }: QemuPlan): string {
  if (architecture === 'amd64') return 'q35,graphics=off,usb=off,smbus=off,hpet=off';
  // `max` is GICv3 wherever it is emulated; hvf has a GIC of its own.
  return accelerators[0] === 'tcg' ? 'virt,gic-version=max' : 'virt';
}

/** `max` is the host's processor with an accelerator, and all features of TCG without one. */
function cpu({ accelerators, architecture }: QemuPlan): string {
  if (accelerators[0] === 'whpx') return 'qemu64';
  if (accelerators[0] === 'hvf' && architecture === 'amd64') return 'max,-pdpe1gb,-avx512vl';
  return 'max';
}

function kernelArguments({ architecture, kernelArguments: own }: QemuPlan): string {
  return [`console=${architecture === 'amd64' ? 'ttyS0' : 'ttyAMA0'}`, ...own].join(' ');
}

function monitor(place: LinePlace): string[] {
  return [...chardev('qmp', place), '-mon', 'chardev=qmp,mode=control'];
}

/** QEMU itself writes the console to a file, so a slow reader cannot block the guest. */
function console({ consoleLog }: QemuPlan): string[] {
  return ['-chardev', `file,id=console,path=${escaped(consoleLog)}`, '-serial', 'chardev:console'];
}

function chardev(id: string, place: LinePlace): string[] {
  if ('listen' in place)
    return ['-chardev', `socket,id=${id},path=${escaped(place.listen)},server=on,wait=off`];
  const { host, port } = place.dial;
  return ['-chardev', `socket,id=${id},host=${host},port=${port},reconnect=1`];
}

function disk(
  serial: string,
  { path, format, readOnly }: { path: string; format: string; readOnly: boolean },
): string[] {
  const node = {
    driver: format,
    'node-name': serial,
    'read-only': readOnly,
    // Blocks that the guest trims, or fills with zeros, become holes in the file.
    ...(readOnly ? {} : { discard: 'unmap', 'detect-zeroes': 'unmap' }),
    file: {
      driver: 'file',
      filename: path,
      ...(readOnly ? { 'read-only': true } : { discard: 'unmap' }),
    },
  };
  return [
    '-blockdev',
    JSON.stringify(node),
    ...device('virtio-blk-pci', {
      drive: serial,
      serial: `corten-${serial}`,
      // A failed write halts the machine (`werror=stop`); with an I/O error its file system would break.
      ...(readOnly ? {} : { discard: 'on', werror: 'stop' }),
    }),
  ];
}

function randomSource(): string {
  return 'rng-builtin,id=random';
}

function device(driver: string, properties: Record<string, string>): string[] {
  const list = Object.entries(properties).map(([name, value]) => `,${name}=${escaped(value)}`);
  return ['-device', driver + list.join('')];
}

/** In QEMU's option lists a comma ends a value, and a doubled comma stands for one (qemu(1)). */
function escaped(value: string): string {
  return value.replaceAll(',', ',,');
}
