/** Pressure stall information (Documentation/accounting/psi.rst), of a v2 group and of the machine. */
import type { Stall, StallTime } from '../contract/limits.ts';
import { type ReadFile, readControlIfAny } from './control-file.ts';

type PsiFiles = Record<keyof Stall, string>;

export const groupPsiFiles: PsiFiles = {
  cpu: 'cpu.pressure',
  memory: 'memory.pressure',
  io: 'io.pressure',
};
export const machinePsiFiles: PsiFiles = { cpu: 'cpu', memory: 'memory', io: 'io' };

/** Returns undefined when the kernel has no PSI, was started with psi=0, or the cgroup is on v1. */
export function readPsi(
  directory: string,
  files: PsiFiles,
  read: ReadFile = readControlIfAny,
): Stall | undefined {
  const cpu = stallTime(read(directory, files.cpu));
  const memory = stallTime(read(directory, files.memory));
  const io = stallTime(read(directory, files.io));
  return cpu && memory && io && { cpu, memory, io };
}

/** Microseconds since boot in which some task of the machine waited for a CPU; `undefined` without PSI. */
export const processorWaitMicros = (): number | undefined =>
  stallTime(readControlIfAny('/proc/pressure', machinePsiFiles.cpu))?.someMicros;

/** Lines are `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234`; only the total is exact. */
function stallTime(text: string | undefined): StallTime | undefined {
  const total = (kind: string) =>
    new RegExp(`^${kind} .*total=(\\d+)`, 'm').exec(text ?? '')?.[1] ?? undefined;
  const some = total('some');
  // Before Linux 5.13 the CPU had no line `full`.
  return some === undefined
    ? undefined
    : { someMicros: Number(some), fullMicros: Number(total('full') ?? 0) };
}
