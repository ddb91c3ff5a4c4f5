/**
 * What a machine says on its console while it starts and stops, one line each, among lines of the
 * kernel: `corten: stage NAME SECONDS`, `corten: failed STAGE CAUSE: SENTENCE`,
 * `corten: repaired STAGE: SENTENCE`, `corten: agent-ended STATUS`, and the agent's own line, which is JSON.
 */

/** In the order of a start; those of a data disk that is new or damaged come only then. */
export const bootStages = [
  'root-disk',
  'system',
  'data-disk',
  'data-disk-format',
  'data-disk-repair',
  'agent',
] as const;

export const guestStages = [...bootStages, 'stopping', 'stopped'] as const;

export type GuestStage = (typeof guestStages)[number];

export type GuestReport =
  /** `seconds` since the kernel started. */
  | { kind: 'stage'; stage: GuestStage; seconds: number }
  /** The machine turns itself off after it. `sentence` is for people: cause and next step. */
  | { kind: 'failed'; stage: GuestStage; cause: string; sentence: string }
  /** Something was damaged and has been put right; the start goes on. `sentence` is for people. */
  | { kind: 'repaired'; stage: GuestStage; sentence: string }
  | { kind: 'ready' }
  /** The agent ended by itself; it is started again. */
  | { kind: 'agent-ended'; status: number }
  /** The kernel gave up: `Kernel panic - not syncing: …`. */
  | { kind: 'panic'; sentence: string };

/** Undefined for a line that reports nothing. */
export function readConsoleLine(line: string): GuestReport | undefined {
  // The kernel may have begun a line of its own before.
  const text = line.trim();
  const panic = /Kernel panic - not syncing: (.*)$/.exec(text)?.[1];
  if (panic !== undefined) return { kind: 'panic', sentence: panic };
  if (text.includes('{"event":"ready"')) return { kind: 'ready' };
  const [, word, rest = ''] = /corten: (stage|failed|repaired|agent-ended) (.*)$/.exec(text) ?? [];
  if (word === 'stage') {
    const [stage = '', seconds = ''] = rest.split(' ');
    return isStage(stage) ? { kind: 'stage', stage, seconds: Number(seconds) } : undefined;
  }
  if (word === 'failed') {
    const [, stage = '', cause = '', sentence = ''] = /^(\S+) (\S+): (.*)$/.exec(rest) ?? [];
    return isStage(stage) ? { kind: 'failed', stage, cause, sentence } : undefined;
  }
  if (word === 'repaired') {
    const [, stage = '', sentence = ''] = /^(\S+): (.*)$/.exec(rest) ?? [];
    return isStage(stage) ? { kind: 'repaired', stage, sentence } : undefined;
  }
  return word === 'agent-ended' ? { kind: 'agent-ended', status: Number(rest) } : undefined;
}

const isStage = (name: string): name is GuestStage =>
  (guestStages as readonly string[]).includes(name);
