/**
 * Seccomp: from an OCI profile (config-linux.md, "Seccomp") to the BPF program that the shim's child
 * loads last, before it executes the image's process.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:os';
import type { OciSeccomp } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import {
  architectureNumber,
  nativeArchitecture,
  type SeccompComparison,
  SeccompFilter,
  type SeccompOperator,
  systemCallNumber,
} from '../kernel/seccomp.ts';

type SyscallRule = OciSeccomp['syscalls'][number];
type ArgumentRule = NonNullable<SyscallRule['args']>[number];

/** Return values of a filter (include/uapi/linux/seccomp.h); ERRNO and TRACE carry a number below. */
const actionNumbers: Record<string, number> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};
const actionsWithErrno = ['SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE'];

const operators: Record<string, SeccompOperator> = {
  SCMP_CMP_NE: 'not-equal',
  SCMP_CMP_LT: 'less',
  SCMP_CMP_LE: 'less-or-equal',
  SCMP_CMP_EQ: 'equal',
  SCMP_CMP_GE: 'greater-or-equal',
  SCMP_CMP_GT: 'greater',
  SCMP_CMP_MASKED_EQ: 'masked-equal',
};

/** SECCOMP_FILTER_FLAG_* of seccomp(2). */
const tsync = 1 << 0;
const newListener = 1 << 3;
const flagNumbers: Record<string, number> = {
  SECCOMP_FILTER_FLAG_TSYNC: tsync,
  SECCOMP_FILTER_FLAG_LOG: 1 << 1,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 1 << 2,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 1 << 5,
};

/** What a profile may say. */
export const seccompNames = {
  actions: Object.keys(actionNumbers),
  operators: Object.keys(operators),
};
export const seccompFlagNames = Object.keys(flagNumbers);

/** The program of a profile that was seen before as the very same object. */
const programs = new WeakMap<OciSeccomp, Buffer>();
const cache = new Map<string, Buffer>();
/** Profiles differ by capabilities and by people's own files; a machine has a handful. */
const cacheEntries = 64;

/**
 * The program of a profile: an array of struct sock_filter (8 bytes each). Names of system calls
 * that libseccomp does not know are skipped, as runc does, since a profile names calls that are
 * younger than the library. Throws invalid for an action, operator or architecture it does not know.
 */
export function compileSeccomp(profile: OciSeccomp): Buffer {
  const program = programs.get(profile) ?? compileByContent(profile);
  programs.set(profile, program);
  return program;
}

/** Whether somebody else is to answer for some of its calls. */
export function notifies({ defaultAction, syscalls }: OciSeccomp): boolean {
  return [defaultAction, ...syscalls.map(({ action }) => action)].includes('SCMP_ACT_NOTIFY');
}

/** What seccomp(2) takes beside the program; `listens` for one that notifies. */
export function seccompFlags({ flags = [] }: OciSeccomp, listens: boolean): number {
  const asked = flags.map((name) => {
    const flag = flagNumbers[name];
    if (flag === undefined) throw invalid(`unknown seccomp flag "${name}"`);
    return flag;
  });
  const all = asked.reduce((sum, flag) => sum | flag, 0);
  // The kernel takes no TSYNC beside a listener, and the process that loads it has but one thread.
  return listens ? (all & ~tsync) | newListener : all;
}

/** With these the process tells of its listener, and hears that somebody has it: it could not ask them. */
const neededToTell = ['write', 'read'];

function checkNotify(profile: OciSeccomp): void {
  if (profile.defaultAction === 'SCMP_ACT_NOTIFY')
    throw invalid('seccomp profile: SCMP_ACT_NOTIFY cannot be the default action');
  for (const { names, action } of profile.syscalls)
    for (const name of neededToTell)
      if (action === 'SCMP_ACT_NOTIFY' && names.includes(name))
        throw invalid(`seccomp profile: SCMP_ACT_NOTIFY cannot be used for ${name}`);
}

function compileByContent(profile: OciSeccomp): Buffer {
  const key = createHash('sha256').update(JSON.stringify(profile)).digest('hex');
  const cached = cache.get(key);
  if (cached) return cached;
  const program = compile(profile);
  const oldest = cache.keys().next();
  if (cache.size >= cacheEntries && !oldest.done) cache.delete(oldest.value);
  cache.set(key, program);
  return program;
}

function compile(profile: OciSeccomp): Buffer {
  checkNotify(profile);
  const defaultAction = actionNumber(profile.defaultAction, profile.defaultErrnoRet);
  // A call through an architecture that the profile leaves out could be any call: there is no
  // number to compare, and an errno would let the program go on.
  const filter = new SeccompFilter(defaultAction, actionNumber('SCMP_ACT_KILL_PROCESS'));
  try {
    for (const name of profile.architectures ?? []) filter.addArchitecture(architecture(name));
    for (const rule of profile.syscalls) addRule(filter, rule, defaultAction);
    return withUnknownCallsAsMissing(profile, defaultAction, filter.export());
  } finally {
    filter.close();
  }
}

function addRule(filter: SeccompFilter, rule: SyscallRule, defaultAction: number): void {
  const action = actionNumber(rule.action, rule.errnoRet);
  // libseccomp refuses a rule that says what the default says (EACCES).
  if (action === defaultAction) return;
  const alternatives = alternativesOf(rule.args ?? []);
  for (const name of rule.names) {
    const number = systemCallNumber(name);
    if (number === undefined) continue;
    for (const comparisons of alternatives) filter.addRule(action, { name, number }, comparisons);
  }
}

/**
 * Comparisons of different arguments must all hold. libseccomp takes one comparison an argument;
 * runc reads several of one argument as alternatives, and profiles are written for runc.
 */
function alternativesOf(args: ArgumentRule[]): SeccompComparison[][] {
  const comparisons = args.map(comparison);
  const distinct = new Set(comparisons.map(({ index }) => index)).size === comparisons.length;
  return distinct ? [comparisons] : comparisons.map((one) => [one]);
}

function comparison(argument: ArgumentRule): SeccompComparison {
  const operator = operators[argument.op];
  if (!operator) throw invalid(`seccomp profile: unknown comparison "${argument.op}"`);
  if (!Number.isInteger(argument.index) || argument.index < 0 || argument.index > 5)
    throw invalid(`seccomp profile: argument index ${argument.index} is not one of 0 to 5`);
  return {
    index: argument.index,
    operator,
    first: unsigned(argument.value),
    second: unsigned(argument.valueTwo ?? 0),
  };
}

function unsigned(value: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0)
    throw invalid(`seccomp profile: ${value} is not a whole number from 0 to 2^53 - 1`);
  return BigInt(value);
}

function actionNumber(name: string, errno?: number): number {
  const action = actionNumbers[name];
  if (action === undefined)
    throw invalid(
      `seccomp profile: unsupported action "${name}": use one of ${Object.keys(actionNumbers).join(', ')}`,
    );
  if (!actionsWithErrno.includes(name)) {
    if (errno !== undefined) throw invalid(`seccomp profile: ${name} takes no errno`);
    return action;
  }
  const number = errno ?? constants.errno.EPERM;
  if (!Number.isInteger(number) || number < 0 || number > 0xffff)
    throw invalid(`seccomp profile: ${number} is not an errno`);
  return (action | number) >>> 0;
}

function architecture(name: string): number {
  const number = architectureNumber(name.replace(/^SCMP_ARCH_/, '').toLowerCase());
  if (number === undefined) throw invalid(`seccomp profile: unknown architecture "${name}"`);
  return number;
}

/** Classic BPF (linux/filter.h), and where struct seccomp_data keeps its first two fields. */
const bpf = { loadWord: 0x20, jumpEqual: 0x15, jumpGreater: 0x25, return: 0x06 };
const seccompData = { systemCall: 0, architecture: 4 };

/**
 * Calls that are younger than everything the profile names answer ENOSYS and not the default errno:
 * C libraries try the newest call first and fall back only on ENOSYS. runc does the same
 * (libcontainer/seccomp/patchbpf). Jumps are relative, so instructions may be put in front.
 */
function withUnknownCallsAsMissing(
  profile: OciSeccomp,
  defaultAction: number,
  program: Buffer,
): Buffer {
  const refuses = profile.defaultAction === 'SCMP_ACT_ERRNO';
  const missing = actionNumber('SCMP_ACT_ERRNO', constants.errno.ENOSYS);
  const newest = Math.max(
    ...profile.syscalls.flatMap((rule) => rule.names.map((name) => systemCallNumber(name) ?? -1)),
  );
  if (!refuses || defaultAction === missing || newest < 0) return program;
  return Buffer.concat([
    instruction(bpf.loadWord, 0, 0, seccompData.architecture),
    instruction(bpf.jumpEqual, 0, 3, nativeArchitecture()),
    instruction(bpf.loadWord, 0, 0, seccompData.systemCall),
    instruction(bpf.jumpGreater, 0, 1, newest),
    instruction(bpf.return, 0, 0, missing),
    program,
  ]);
}

/** struct sock_filter. */
function instruction(code: number, ifTrue: number, ifFalse: number, operand: number): Buffer {
  const memory = Buffer.alloc(8);
  memory.writeUInt16LE(code, 0);
  memory.writeUInt8(ifTrue, 2);
  memory.writeUInt8(ifFalse, 3);
  memory.writeUInt32LE(operand, 4);
  return memory;
}
