/**
 * Explains wsl.exe's errors. Its sentences are translated, but the code beside them is not: such as
 * `Wsl/Service/CreateInstance/CreateVm/HCS/HCS_E_HYPERV_NOT_INSTALLED`, and before version 1.0 only a
 * number
 * (https://github.com/microsoft/WSL/blob/master/src/windows/common/wslutil.cpp,
 * https://learn.microsoft.com/windows/wsl/troubleshooting).
 */
import { StageFailure } from '../machine/machine.ts';
import type { WslAnswer } from './command.ts';

interface Meaning {
  codes: readonly string[];
  cause: string;
  nextStep: string;
}

const install =
  'Run "wsl --install --no-distribution" in a terminal as administrator, and restart Windows.';

export const virtualizationOff: Omit<Meaning, 'codes'> = {
  cause: 'WSL 2 cannot start a virtual machine: virtualization is off on this computer.',
  nextStep:
    'Turn virtualization on in the firmware settings (Intel VT-x or AMD-V), then run ' +
    '"wsl --install --no-distribution" as administrator and restart. If it was on already, run ' +
    '"bcdedit /set hypervisorlaunchtype auto" as administrator and restart. Inside a virtual ' +
    'machine, nested virtualization has to be allowed for it.',
};

const meanings: readonly Meaning[] = [
  {
    codes: [
      'WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED',
      'WSL_E_VIRTUAL_MACHINE_PLATFORM_REQUIRED',
      'REGDB_E_CLASSNOTREG',
      'ERROR_SERVICE_DOES_NOT_EXIST',
      '0x8007019e',
      '0x80040154',
      '0x80370114',
    ],
    cause: 'A part of Windows that WSL 2 needs is not installed.',
    nextStep: install,
  },
  { codes: ['HCS_E_HYPERV_NOT_INSTALLED', '0x80370102'], ...virtualizationOff },
  {
    codes: ['WSL_E_OS_NOT_SUPPORTED', '0x80040306'],
    cause: 'This version of Windows cannot run WSL 2.',
    nextStep: 'Update Windows: WSL 2 takes Windows 10 version 2004 (build 19041) or later.',
  },
  {
    codes: ['ERROR_ALREADY_EXISTS', 'ERROR_FILE_EXISTS', '0x800700b7', '0x80070050'],
    cause: 'WSL has a distribution of this name, or one in this folder, already.',
    nextStep:
      'See "wsl --list --verbose". Give the machine another name, or remove that distribution with ' +
      '"wsl --unregister NAME" if nothing in it is needed: this deletes all its files.',
  },
  {
    codes: ['ERROR_DISK_FULL', 'ERROR_HANDLE_DISK_FULL', '0x80070070', '0x80070027'],
    cause: "The disk that holds the machine's files is full.",
    nextStep: 'Free some space on that drive, or move the machine to another one in its settings.',
  },
  {
    codes: ['WSL_E_DISK_CORRUPTED', 'ERROR_FILE_CORRUPT', 'ERROR_DISK_REPAIR_DISABLED'],
    cause: "The machine's disk is damaged: its file system could not be mounted.",
    nextStep:
      'Follow "How to repair a VHD mounting error" at https://learn.microsoft.com/windows/wsl/disk-space; ' +
      'save what you need, then remove the machine and make it anew.',
  },
  {
    codes: ['ERROR_SHARING_VIOLATION', 'WSL_E_DISTRO_NOT_STOPPED', '0x80070020'],
    cause: "The machine's disk is in use by another program, or by WSL itself.",
    nextStep: 'Run "wsl --shutdown", wait a moment, and start the machine again.',
  },
  {
    codes: ['WSL_E_DISTRO_NOT_FOUND', 'WSL_E_DEFAULT_DISTRO_NOT_FOUND'],
    cause: "WSL has no distribution of the machine's name any more.",
    nextStep: 'Start the machine again: it is created again, without containers and images.',
  },
  {
    codes: ['WSL_E_IMPORT_FAILED', 'WSL_E_NOT_A_LINUX_DISTRO'],
    cause: "WSL could not unpack the machine's system.",
    nextStep: 'Check that the drive has 2 GB free, install the app again, and start the machine.',
  },
  {
    codes: [
      'E_OUTOFMEMORY',
      'ERROR_NO_SYSTEM_RESOURCES',
      'ERROR_COMMITMENT_LIMIT',
      'ERROR_NOT_ENOUGH_MEMORY',
      '0x8007000e',
      '0x800705aa',
      '0x800705af',
    ],
    cause: 'Windows has not enough memory for the virtual machine of WSL 2.',
    nextStep:
      'Close programs that take much memory, or let WSL use less of it ("memory" in .wslconfig).',
  },
  {
    codes: ['WSL_E_WSL2_NEEDED', 'WSL_E_VM_MODE_INVALID_STATE'],
    cause: "The machine's distribution is set to WSL 1, which has no kernel of its own.",
    nextStep: 'Set it back with "wsl --set-version NAME 2".',
  },
  {
    codes: ['ERROR_ACCESS_DISABLED_BY_POLICY', 'WSL_E_DISK_MOUNT_DISABLED'],
    cause: 'A policy of this computer does not allow WSL 2.',
    nextStep: 'Ask whoever manages this computer to allow Windows Subsystem for Linux.',
  },
  {
    codes: ['E_ACCESSDENIED', '0x80070005'],
    cause: "Windows does not let this account use the machine's files.",
    nextStep: 'Check the permissions of the folder, and that the app does not run as another user.',
  },
  {
    codes: [
      'WSL_E_VM_CRASHED',
      'HCS_E_CONNECTION_TIMEOUT',
      'HCS_E_TERMINATED',
      'HCS_E_SYSTEM_ALREADY_STOPPED',
      'RPC_S_CALL_FAILED',
      '0x80370109',
    ],
    cause: "WSL's virtual machine ended, or did not answer in time.",
    nextStep:
      'Run "wsl --shutdown" and start the machine again. If it stays so, run "wsl --update".',
  },
];

/** `name` is the distribution's name, `doing` the verb of the request, such as "start". */
export function wslFailure(answer: WslAnswer, name: string, doing: string): StageFailure {
  const code = errorCode(answer.output);
  const meaning = meanings.find(({ codes }) =>
    codes.some((known) => known.toLowerCase() === code?.toLowerCase()),
  );
  const said = code === undefined ? `exit code ${answer.code}` : code;
  if (meaning !== undefined)
    return new StageFailure(
      `${meaning.cause} (WSL could not ${doing} "${name}": ${said})`,
      meaning.nextStep.replaceAll('NAME', name),
    );
  return new StageFailure(
    `WSL could not ${doing} "${name}" (${said}). It said: ${lastLines(answer.output)}`,
    'Run "wsl --update", then "wsl --shutdown", and start the machine again.',
  );
}

/** The error's name, or its number where there is no name; undefined without either. */
export function errorCode(output: string): string | undefined {
  const path = /\b(?:Wsl|Bash|Wslg)(?:\/\w+)*\/(\w+)/.exec(output)?.[1];
  return path ?? /\b0x[0-9a-f]{8}\b/i.exec(output)?.[0];
}

function lastLines(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(-3).join(' ') || 'nothing';
}
