/**
 * The devices controller: which nodes may be opened and made. v1 has files; v2 has none, and asks a
 * BPF program of type BPF_PROG_TYPE_CGROUP_DEVICE instead (cgroup-v2.rst, "Device controller").
 * On both everything is refused until a rule allows it, and the last rule that matches decides.
 */
import type { OciDeviceRule } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { bpfInstruction as instruction } from '../kernel/bpf.ts';
import { writeControl, writeControls } from './control-file.ts';

export function applyDevicesV1(directory: string, rules: readonly OciDeviceRule[]): void {
  writeControl(directory, 'devices.deny', 'a');
  for (const run of runsOf(rules))
    writeControls(directory, run.allow ? 'devices.allow' : 'devices.deny', run.lines);
}

/** Groups neighbouring rules that go into the same file, keeping their order. */
function runsOf(rules: readonly OciDeviceRule[]): { allow: boolean; lines: string[] }[] {
  const runs: { allow: boolean; lines: string[] }[] = [];
  for (const rule of rules) {
    const last = runs.at(-1);
    if (last?.allow === rule.allow) last.lines.push(deviceRuleLine(rule));
    else runs.push({ allow: rule.allow, lines: [deviceRuleLine(rule)] });
  }
  return runs;
}

/** A rule as the v1 controller writes and reads it: `c 1:3 rwm`, or `a` for everything. */
export function deviceRuleLine(rule: OciDeviceRule): string {
  checkRule(rule);
  if (rule.type === 'a') return 'a';
  return `${rule.type} ${rule.major ?? '*'}:${rule.minor ?? '*'} ${rule.access}`;
}

function checkRule(rule: OciDeviceRule): void {
  if (!/^[rwm]+$/.test(rule.access))
    throw invalid(`invalid device access "${rule.access}": use some of r, w and m`);
}

/** include/uapi/linux/bpf.h: BPF_DEVCG_DEV_…, BPF_DEVCG_ACC_…. */
const deviceTypes = { b: 1, c: 2 } as const;
const accessBits = { m: 1, r: 2, w: 4 } as const;
const everyAccess = 7;

/** Opcodes (Documentation/bpf/standardization/instruction-set.rst). */
const opcode = {
  loadWord: 0x61,
  moveRegister: 0xbf,
  moveImmediate: 0xb7,
  and: 0x57,
  shiftRight: 0x77,
  jumpIfEqual: 0x15,
  jumpIfNotEqual: 0x55,
  exit: 0x95,
} as const;
/** The context comes in r1; the verdict leaves in r0. */
const register = { verdict: 0, context: 1, type: 2, access: 3, major: 4, minor: 5 } as const;

/**
 * The program for these rules: struct bpf_insn, 8 bytes each. Its context is struct
 * bpf_cgroup_dev_ctx: access in the high and type in the low half of a word, major, minor.
 */
export function deviceProgram(rules: readonly OciDeviceRule[]): Buffer {
  const { context, type, access, major, minor } = register;
  const parts = [
    instruction(opcode.loadWord, type, context, 0, 0),
    instruction(opcode.moveRegister, access, type, 0, 0),
    instruction(opcode.shiftRight, access, 0, 0, 16),
    instruction(opcode.and, type, 0, 0, 0xffff),
    instruction(opcode.loadWord, major, context, 4, 0),
    instruction(opcode.loadWord, minor, context, 8, 0),
  ];
  for (const rule of rules.toReversed()) {
    checkRule(rule);
    const conditions = conditionsOf(rule);
    parts.push(...withJumpsPast(conditions), ...verdictOf(rule.allow));
    // The verifier refuses code that cannot be reached.
    if (conditions.length === 0) return Buffer.concat(parts);
  }
  return Buffer.concat([...parts, ...verdictOf(false)]);
}

/** Jumps away when `left` (a register) and `right` compare as `jump` says. */
interface Condition {
  before: Buffer[];
  jump: number;
  left: number;
  right: number;
}

/** When the rule does not match. A rule of type `a` always does: it has no numbers (config-linux.md). */
function conditionsOf(rule: OciDeviceRule): Condition[] {
  if (rule.type === 'a') return [];
  const { type, major, minor } = register;
  const conditions = [differs(type, deviceTypes[rule.type])];
  const bits = bitsOf(rule.access);
  if (bits !== everyAccess) conditions.push(accessOutside(bits, rule.allow));
  if (rule.major !== undefined) conditions.push(differs(major, rule.major));
  if (rule.minor !== undefined) conditions.push(differs(minor, rule.minor));
  return conditions;
}

function differs(left: number, right: number): Condition {
  return { before: [], jump: opcode.jumpIfNotEqual, left, right };
}

/** Allowed is a request for nothing beyond the rule's access; denied is one for anything of it. */
function accessOutside(bits: number, allow: boolean): Condition {
  const { verdict, access } = register;
  return {
    before: [
      instruction(opcode.moveRegister, verdict, access, 0, 0),
      instruction(opcode.and, verdict, 0, 0, allow ? everyAccess & ~bits : bits),
    ],
    jump: allow ? opcode.jumpIfNotEqual : opcode.jumpIfEqual,
    left: verdict,
    right: 0,
  };
}

/** Each condition jumps past the rule's two closing instructions when it does not hold. */
function withJumpsPast(conditions: Condition[]): Buffer[] {
  const verdictInstructions = 2;
  let distance = verdictInstructions;
  const parts: Buffer[] = [];
  for (const { before, jump, left, right } of conditions.toReversed()) {
    parts.unshift(...before, instruction(jump, left, 0, distance, right));
    distance += before.length + 1;
  }
  return parts;
}

function verdictOf(allow: boolean): Buffer[] {
  return [
    instruction(opcode.moveImmediate, register.verdict, 0, 0, allow ? 1 : 0),
    instruction(opcode.exit, 0, 0, 0, 0),
  ];
}

function bitsOf(access: string): number {
  return Object.entries(accessBits).reduce(
    (bits, [letter, bit]) => (access.includes(letter) ? bits | bit : bits),
    0,
  );
}
