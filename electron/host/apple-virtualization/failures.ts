/** Explains from vfkit's last output why it ended before the machine ran. */

import { lastLines } from '../machine/last-lines.ts';
import { StageFailure } from '../machine/machine.ts';

interface Meaning {
  said: RegExp;
  cause: string;
  nextStep: string;
}

/**
 * The framework's sentences are translated, so only names of entitlements and vfkit's own texts are
 * matched (https://github.com/crc-org/vfkit/tree/main/pkg, VZError in Apple's documentation).
 */
const meanings: readonly Meaning[] = [
  {
    said: /com\.apple\.security\.virtualization|VZErrorDomain.*Code=2\b.*entitlement/i,
    cause: 'macOS does not let vfkit make virtual machines: it is signed without the right to.',
    nextStep:
      'Install the app again. A vfkit of your own is signed with "codesign --sign - --entitlements vf.entitlements --force vfkit".',
  },
  {
    said: /kernel must be uncompressed/,
    cause: "The machine's kernel is compressed, and Apple's virtualization starts no such kernel.",
    nextStep: 'Install the app again; from a checkout, run "scripts/vm-image --arch arm64".',
  },
  {
    said: /VZErrorDomain.*Code=6\b|number of virtual machines|virtual machine limit/i,
    cause: 'macOS runs as many virtual machines as it allows already.',
    nextStep: 'Stop another virtual machine, then start this one again.',
  },
  {
    said: /storage device attachment is invalid|VZErrorDomain.*Code=(?:5|9)\b|resource temporarily unavailable/i,
    cause:
      "Another program is using the machine's disk: a second Corten, or a machine that did not end.",
    nextStep: 'End that program (a process called vfkit), then start again.',
  },
  {
    said: /invalid memory size|memory size.*(?:maximum|minimum|invalid)|minimum allowed memory/i,
    cause: 'This Mac cannot give the machine as much memory as it is set to.',
    nextStep: 'Choose less memory in the machine’s settings.',
  },
  {
    said: /CPU count|number of CPUs.*invalid/i,
    cause: 'This Mac has fewer processors than the machine is set to.',
    nextStep: 'Choose fewer processors in the machine’s settings.',
  },
  {
    said: /bind: address already in use|socket path length exceeds/i,
    cause: 'A socket that the machine needs cannot be made.',
    nextStep:
      'Another Corten may use the same directory. End it, or start this one with another --run DIR.',
  },
  {
    said: /no space left on device|disk full/i,
    cause: "This Mac's disk is full.",
    nextStep: 'Free some space on it, then start again.',
  },
  {
    said: /failed to (?:open|read the header of) file (\S+)/,
    cause: "One of the machine's files cannot be read: $1",
    nextStep: 'Check that it belongs to you, or install the app again.',
  },
  {
    said: /unknown (?:flag|option|device type|shorthand)/,
    cause: 'This vfkit does not know what the machine needs of it.',
    nextStep: 'Run "brew upgrade vfkit", or remove it: the app brings its own.',
  },
  {
    said: /hypervisor virtualization error|timeout waiting for VM state/,
    cause: "macOS's hypervisor did not start the machine.",
    nextStep:
      'Start it again. If it stays so, restart the Mac, or choose QEMU in the machine’s settings.',
  },
];

export function vfkitFailure(how: string, log: string, logPath: string): StageFailure {
  for (const { said, cause, nextStep } of meanings) {
    const found = said.exec(log);
    if (found !== null) return new StageFailure(cause.replace('$1', found[1] ?? ''), nextStep);
  }
  return new StageFailure(
    `vfkit did not start the machine: ${how}. ${lastLines(log)}`.trim(),
    `Its output is in ${logPath}. Updating macOS or vfkit may help.`,
  );
}
