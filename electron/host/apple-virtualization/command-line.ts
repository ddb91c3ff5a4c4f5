/**
 * vfkit's command line (https://github.com/crc-org/vfkit/blob/main/doc/usage.md). A comma ends an option
 * of a device and cannot be escaped (pkg/config/virtio.go).
 */
import { StageFailure } from '../machine/machine.ts';

export interface VfkitPlan {
  cpus: number;
  memoryBytes: number;
  kernel: string;
  initrd: string;
  kernelArguments: readonly string[];
  rootImage: string;
  dataDisk: string;
  seed: string;
  consoleLog: string;
  /** vfkit's own control socket. */
  controlSocket: string;
  /** A socket on the host, whose connections vfkit forwards to the guest's vsock port. */
  sshSocket: string;
}

/** The agent's vsock port in the guest (its option --ssh-vsock). */
export const sshVsockPort = 1024;

export function vfkitArguments(plan: VfkitPlan): string[] {
  const disk = (path: string, serial: string) =>
    `virtio-blk,path=${plain(path)},deviceId=${serial}`;
  const devices = [
    // Several machines may use the same file, which only read-only attachments permit.
    `${disk(plan.rootImage, 'corten-root')},readonly`,
    // vfkit fixes caching on and flushes to the disk (pkg/vf/virtio.go).
    disk(plan.dataDisk, 'corten-data'),
    `${disk(plan.seed, 'corten-seed')},readonly`,
    // The device carries only outgoing traffic; published ports go over SSH.
    'virtio-net,nat',
    `virtio-vsock,port=${sshVsockPort},socketURL=${plain(plan.sshSocket)},connect`,
    `virtio-serial,logFilePath=${plain(plan.consoleLog)}`,
    'virtio-rng',
    'virtio-balloon',
  ];
  return [
    ...['--cpus', String(plan.cpus)],
    ...['--memory', String(Math.floor(plan.memoryBytes / 1024 ** 2))],
    ...['--bootloader', bootloader(plan)],
    ...devices.flatMap((device) => ['--device', device]),
    ...['--restful-uri', `unix://${plan.controlSocket}`],
    ...['--log-level', 'info'],
  ];
}

/** vfkit itself parses the quotes of the kernel's command line, since no shell is involved. */
function bootloader({ kernel, initrd, kernelArguments }: VfkitPlan): string {
  const words = ['console=hvc0', ...kernelArguments].join(' ');
  if (words.includes('"')) throw new Error(`a kernel argument has a quote in it: ${words}`);
  return `linux,kernel=${plain(kernel)},initrd=${plain(initrd)},cmdline="${words}"`;
}

function plain(path: string): string {
  if (/[,"]/.test(path))
    throw new StageFailure(
      `The path ${path} has a comma or a quote in it, which vfkit cannot be given.`,
      "Move the machine's folder to a path without them (--root DIR).",
    );
  return path;
}
