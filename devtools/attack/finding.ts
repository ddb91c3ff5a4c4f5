/** The outcome of each attack on one engine, and the comparison of two engines. */

/** `open`: the attack succeeded. `held`: it was refused. `none`: its target does not exist here. */
export type Outcome = 'open' | 'held' | 'none';

export interface Finding {
  group: string;
  probe: string;
  outcome: Outcome;
  detail: string;
}

/** `reviewed`: weaker than this peer on purpose (reviewed.ts has the reasons). */
export const verdicts = ['equal', 'stronger', 'reviewed', 'WEAKER'] as const;
export type Verdict = (typeof verdicts)[number];

export interface Row {
  group: string;
  probe: string;
  corten: Finding | undefined;
  dockerd: Finding | undefined;
  /** Undefined when only one engine was attacked. */
  verdict: Verdict | undefined;
}

/** Reads a line of the probe program: NAME, OUTCOME and DETAIL, with tabs between. Throws an Error for other text. */
export function parseLine(group: string, prefix: string, line: string): Finding {
  const [name = '', outcome = '', detail = ''] = line.split('\t');
  if (outcome !== 'open' && outcome !== 'held' && outcome !== 'none')
    throw new Error(`the probes of "${group}" wrote: ${line}`);
  return { group, probe: `${prefix}${name}`, outcome, detail };
}

/**
 * Pairs the findings of both engines. A sweep over many files or devices reports only the open ones, so what one engine
 * reports and the other does not is held there.
 */
export function compare(corten: Finding[] | undefined, dockerd: Finding[] | undefined): Row[] {
  const key = ({ group, probe }: Finding) => `${group}\t${probe}`;
  const [ours, theirs] = [corten ?? [], dockerd ?? []].map(
    (findings) => new Map(findings.map((finding) => [key(finding), finding])),
  );
  const all = new Map([...(ours ?? []), ...(theirs ?? [])]);
  const both = corten !== undefined && dockerd !== undefined;
  return [...all].map(([name, { group, probe }]) => {
    const [own, peer] = [ours?.get(name), theirs?.get(name)];
    return {
      group,
      probe,
      corten: own,
      dockerd: peer,
      verdict: both ? verdictOf(isOpen(own), isOpen(peer)) : undefined,
    };
  });
}

const isOpen = (finding: Finding | undefined) => finding?.outcome === 'open';

function verdictOf(ours: boolean, theirs: boolean): Verdict {
  if (ours === theirs) return 'equal';
  return ours ? 'WEAKER' : 'stronger';
}
