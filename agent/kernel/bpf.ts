/** The part of bpf(2) that cgroup programs need: loads a program and attaches it to a cgroup. */
import { closeSync } from 'node:fs';
import { addressOf, systemCall } from './libc.ts';

const callNumbers: Record<string, number> = { x64: 321, arm64: 280, riscv64: 280 };
const bpf = systemCall('bpf', callNumbers[process.arch] ?? 280, ['int', 'void *', 'uint']);

/** Numbers of include/uapi/linux/bpf.h. */
const command = { programLoad: 5, programAttach: 8 };
const programTypeCgroupDevice = 15;
const attachTypeCgroupDevice = 6;
/** BPF_F_ALLOW_MULTI: programs of the parent groups run too, and all must allow. */
const allowMulti = 2;

const instructionBytes = 8;
const logBytes = 16 * 1024;
const licence = Buffer.from('Apache-2.0\0');

/** Encodes a struct bpf_insn. */
export function bpfInstruction(
  opcode: number,
  destination: number,
  source: number,
  offset: number,
  immediate: number,
): Buffer {
  const memory = Buffer.alloc(instructionBytes);
  memory.writeUInt8(opcode, 0);
  memory.writeUInt8((source << 4) | destination, 1);
  memory.writeInt16LE(offset, 2);
  memory.writeInt32LE(immediate, 4);
  return memory;
}

/** Loads a device program. The caller closes the descriptor. Throws with the verifier's message. */
export function loadDeviceProgram(program: Buffer): number {
  // The union bpf_attr of BPF_PROG_LOAD up to log_buf; a shorter one is allowed, and the rest is zero.
  const attributes = Buffer.alloc(48);
  attributes.writeUInt32LE(programTypeCgroupDevice, 0);
  attributes.writeUInt32LE(program.length / instructionBytes, 4);
  attributes.writeBigUInt64LE(addressOf(program), 8);
  attributes.writeBigUInt64LE(addressOf(licence), 16);
  const load = () => bpf('device program', command.programLoad, attributes, attributes.length);
  try {
    return load();
  } catch (error) {
    throw new Error(`the kernel refuses the device program: ${verifierLog(attributes, load)}`, {
      cause: error,
    });
  }
}

/** Loads again to get the verifier's log, which some failures (EPERM, no BPF in this kernel) leave empty. */
function verifierLog(attributes: Buffer, load: () => number): string {
  const log = Buffer.alloc(logBytes);
  attributes.writeUInt32LE(1, 24);
  attributes.writeUInt32LE(log.length, 28);
  attributes.writeBigUInt64LE(addressOf(log), 32);
  try {
    closeSync(load());
    return 'but the second try succeeded, so the cause was transient';
  } catch (error) {
    return log.toString('utf8', 0, log.indexOf(0)).trim() || String(error);
  }
}

/** Attaches the program to the cgroup of the directory, for as long as the cgroup exists. */
export function attachDeviceProgram(cgroupFd: number, programFd: number): void {
  const attributes = Buffer.alloc(16);
  attributes.writeUInt32LE(cgroupFd, 0);
  attributes.writeUInt32LE(programFd, 4);
  attributes.writeUInt32LE(attachTypeCgroupDevice, 8);
  attributes.writeUInt32LE(allowMulti, 12);
  bpf('device program of a cgroup', command.programAttach, attributes, attributes.length);
}
