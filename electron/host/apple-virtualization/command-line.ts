/**
 * vfkit's command line (https://github.com/crc-org/vfkit/blob/main/doc/usage.md). A device's options
 * end at a comma, and there is no way to write one inside (pkg/config/virtio.go there).
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
  /** On the host; each connection to it becomes one to the guest's vsock port. */
  sshSocket: string;
}

/** The agent listens there in the guest (its option --ssh-vsock). */
export const sshVsockPort = 1024;

export function vfkitArguments(plan: VfkitPlan): string[] {
  const disk = (path: string, serial: string) =>
    `virtio-blk,path=${plain(path)},deviceId=${serial}`;
  const devices = [
    // Many machines may read the same file: only read-only attachments may.
    `${disk(plan.rootImage, 'corten-root')},readonly`,
    // Cached, and written through on the guest's flushes: vfkit fixes both (pkg/vf/virtio.go).
    disk(plan.dataDisk, 'corten-data'),
    `${disk(plan.seed, 'corten-seed')},readonly`,
    // Outgoing traffic only: published ports and the host's address go over SSH.
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

/** The kernel's words are quoted for vfkit itself, as no shell is between. */
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
