/** QEMU's command line for one machine: nothing but what its plan says (qemu(1)). */
import type { LinePlace } from '../virtual-machine/process.ts';

export type GuestArchitecture = 'amd64' | 'arm64';
export type Accelerator = 'kvm' | 'hvf' | 'whpx' | 'tcg';

export interface QemuPlan {
  architecture: GuestArchitecture;
  /** In the order in which QEMU tries them. */
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
  /** Listened on by QEMU, or dialled by it where Node has no unix sockets. */
  qmp: LinePlace;
  ssh: LinePlace;
  /** Waits for a snapshot instead of booting. */
  restores: boolean;
}

export function qemuArguments(plan: QemuPlan): string[] {
  return [
    // Neither the person's QEMU configuration nor default devices: the guest knows what it gets.
    ...['-no-user-config', '-nodefaults', '-display', 'none'],
    ...['-name', 'corten', '-machine', machine(plan)],
    ...plan.accelerators.flatMap((accelerator) => ['-accel', acceleration(accelerator, plan)]),
    ...['-cpu', cpu(plan), '-smp', String(plan.cpus)],
    ...['-m', `${Math.floor(plan.memoryBytes / mebibyte)}M`],
    ...['-kernel', plan.kernel, '-initrd', plan.initrd, '-append', kernelArguments(plan)],
    ...monitor(plan.qmp),
    ...console(plan),
    // The first is a console's; of QEMU's 31 the guest would keep 4 MB of queues.
    ...device('virtio-serial-pci', { id: 'ports', max_ports: '2' }),
    ...chardev('ssh', plan.ssh),
    ...device('virtserialport', { bus: 'ports.0', chardev: 'ssh', name: 'ssh.0' }),
    ...disk('root', { path: plan.rootImage, format: 'raw', readOnly: true }),
    ...disk('data', { ...plan.dataDisk, readOnly: false }),
    ...disk('seed', { path: plan.seed, format: 'raw', readOnly: true }),
    ...['-netdev', 'user,id=net', ...device('virtio-net-pci', { netdev: 'net', romfile: '' })],
    ...['-object', randomSource(), ...device('virtio-rng-pci', { rng: 'random' })],
    // What the guest frees goes back to this computer at once.
    ...device('virtio-balloon-pci', { 'free-page-reporting': 'on', id: 'balloon' }),
    // Tells a restored guest that it is not the one that was saved, so that it draws new randomness.
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
 * What TCG keeps of translated code, all of it this computer's memory in the end. A start fills 128; what a larger machine is
 * there for needs more, and with too little everything is translated again and again.
 */
function translationMebibytes(memoryBytes: number): number {
  return Math.min(512, Math.max(128, Math.round(memoryBytes / mebibyte / 8)));
}

/** q35 also under emulation: microvm hangs at TSC calibration on a busy host. */
function machine({ architecture, accelerators }: QemuPlan): string {
  if (architecture === 'amd64') return 'q35,graphics=off,usb=off,smbus=off,hpet=off';
  // `max` is GICv3 wherever it is emulated; hvf brings its own.
  return accelerators[0] === 'tcg' ? 'virt,gic-version=max' : 'virt';
}

/** `max` is the host's own processor where one accelerates, and everything TCG can do otherwise. */
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

/** Written to a file by QEMU itself: nobody has to keep up with it. */
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
    // What the guest trims becomes a hole, also where it writes zeros.
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
      // A write that this computer cannot do holds the machine, whose file system would break otherwise.
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

/** In QEMU's option lists a comma ends a value, and two are one (qemu(1)). */
function escaped(value: string): string {
  return value.replaceAll(',', ',,');
}
