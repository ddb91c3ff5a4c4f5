/** What an attack found on one engine, and what two engines' findings say beside each other. */

/** `open`: it went through. `held`: it was refused. `none`: there was nothing to try it on. */
export type Outcome = 'open' | 'held' | 'none';

export interface Finding {
  group: string;
  probe: string;
  outcome: Outcome;
  detail: string;
}

/** `reviewed`: weaker than this peer, and meant (reviewed.ts says why). */
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

/** One line of the probes' program: NAME, OUTCOME, DETAIL between tabs. Throws for another text. */
export function parseLine(group: string, prefix: string, line: string): Finding {
  const [name = '', outcome = '', detail = ''] = line.split('\t');
  if (outcome !== 'open' && outcome !== 'held' && outcome !== 'none')
    throw new Error(`the probes of "${group}" wrote: ${line}`);
  return { group, probe: `${prefix}${name}`, outcome, detail };
}

/**
 * Findings side by side. What a sweep names only where it is open (a writable file, a device) is
 * held where it is not named.
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
