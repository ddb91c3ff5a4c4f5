/** The printed result: a table in Markdown, and the number of each verdict in every group. */
import { type Finding, type Row, verdicts } from './finding.ts';

/** The rows in which the engines differ, or with `all` every row. */
export function table(rows: Row[], all: boolean): string {
  const shown = all ? rows : folded(rows.filter(({ verdict }) => verdict !== 'equal'));
  return [
    '| group | probe | corten | dockerd | verdict |',
    '| --- | --- | --- | --- | --- |',
    ...shown.map(
      ({ group, probe, corten, dockerd, verdict }) =>
        `| ${group} | ${probe} | ${cell(corten)} | ${cell(dockerd)} | ${verdict ?? ''} |`,
    ),
  ].join('\n');
}

/** Joins the rows of an entry into the kernel that only one engine blocks, which are about four hundred. */
function folded(rows: Row[]): Row[] {
  const other: Row[] = [];
  const ways = new Map<string, Row[]>();
  for (const row of rows) {
    const way = row.group === 'calls' ? row.probe.split(' ')[0] : undefined;
    if (way === undefined || way === 'native') other.push(row);
    else ways.set(`${way} ${row.verdict}`, [...(ways.get(`${way} ${row.verdict}`) ?? []), row]);
  }
  const one = (of: Row[]): Row => {
    const [first] = of;
    if (first === undefined) throw new Error('a way into the kernel without a call');
    return { ...first, probe: `${first.probe.split(' ')[0]}: ${of.length} calls` };
  };
  return [...[...ways.values()].map(one), ...other];
}

function cell(finding: Finding | undefined): string {
  if (finding === undefined) return '';
  return finding.detail === '' ? finding.outcome : `${finding.outcome}: ${finding.detail}`;
}

export function counts(rows: Row[]): string {
  const names = [...new Set(rows.map(({ group }) => group))];
  const line = (name: string, of: Row[]) => {
    const open = of.filter(
      ({ corten, dockerd }) => corten?.outcome === 'open' && dockerd?.outcome === 'open',
    );
    const each = verdicts.map((verdict) => of.filter((row) => row.verdict === verdict).length);
    return `| ${[name, of.length, ...each, open.length].join(' | ')} |`;
  };
  return [
    `| group | probes | ${verdicts.join(' | ')} | open in both |`,
    `|${' --- |'.repeat(verdicts.length + 3)}`,
    ...names.map((name) =>
      line(
        name,
        rows.filter(({ group }) => group === name),
      ),
    ),
    line('all', rows),
  ].join('\n');
}
