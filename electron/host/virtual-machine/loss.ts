/** Texts for a machine that ended by itself, or that refuses the app's login. */

import { lastLines } from '../machine/last-lines.ts';
import type { Loss } from '../machine/machine.ts';
import type { MachineDirectory } from './directory.ts';
import { textOf } from './process.ts';

/** `program` is the process that ran it, such as QEMU; `how` tells how that ended. */
export function lossOf(
  files: MachineDirectory,
  program: string,
  how: string,
  nextStep = 'Start it again: its disk is kept.',
): Loss {
  const said = lastLines(textOf(files.qemuLog));
  const guest = lastLines(textOf(files.consoleLog));
  return {
    stage: 'vm',
    cause: [
      `The machine's ${program} ended: ${how}.`,
      ...(said === '' ? [] : [`Its last output: ${said}`]),
      ...(guest === '' ? [] : [`The machine's console ended with: ${guest}`]),
    ].join(' '),
    nextStep,
  };
}

export const loginAdvice = ({ keys }: MachineDirectory) =>
  `The keys in ${keys} may belong to another machine's disk. Restore both from one ` +
  'backup, or remove the directory: the next start makes new ones.';
