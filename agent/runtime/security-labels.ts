/**
 * Steps that set the AppArmor profile (apparmor(7), aa_change_onexec(3)) and SELinux label
 * (setexeccon(3)) of the next program. A label that the kernel does not support is an error, so
 * that nobody relies on it.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { OciProcess } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import type { Step } from './plan.ts';

export function hasAppArmor(): boolean {
  const enabled = '/sys/module/apparmor/parameters/enabled';
  return existsSync(enabled) && readFileSync(enabled, 'utf8').trim() === 'Y';
}

export function hasSelinux(): boolean {
  return /^nodev\tselinuxfs$/m.test(readFileSync('/proc/filesystems', 'utf8'));
}

/** Throws invalid when the kernel does not support it. */
export function labelSteps(
  { apparmorProfile, selinuxLabel }: OciProcess,
  kernel = { hasAppArmor, hasSelinux },
): Step[] {
  const steps: Step[] = [];
  // Without AppArmor every process is unconfined.
  if (apparmorProfile && (apparmorProfile !== 'unconfined' || kernel.hasAppArmor())) {
    if (!kernel.hasAppArmor())
      throw invalid('this kernel has no AppArmor; remove process.apparmorProfile');
    steps.push({
      ...{ do: 'procWrite', path: 'self/attr/apparmor/exec' },
      text: `exec ${apparmorProfile}`,
    } as const);
  }
  if (selinuxLabel) {
    checkSelinux('process.selinuxLabel', kernel.hasSelinux);
    steps.push({ do: 'procWrite', path: 'self/attr/exec', text: selinuxLabel });
  }
  return steps;
}

/** Throws invalid on a kernel without SELinux. */
export function checkSelinux(what: string, has = hasSelinux): void {
  if (!has()) throw invalid(`this kernel has no SELinux; remove ${what}`);
}
