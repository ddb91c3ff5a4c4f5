/** What is printed: rows in Markdown, and how many of each verdict every group has. */
import type { Finding, Row, Verdict } from './finding.ts';

const verdicts: readonly Verdict[] = ['equal', 'stronger', 'WEAKER'];

/** Rows in which something is open; with `all` those too in which both engines hold. */
export function table(rows: Row[], all: boolean): string {
  const shown = rows.filter(
    ({ corten, dockerd }) => all || corten?.outcome === 'open' || dockerd?.outcome === 'open',
  );
  return [
    '| group | probe | corten | dockerd | verdict |',
    '| --- | --- | --- | --- | --- |',
    ...shown.map(
      ({ group, probe, corten, dockerd, verdict }) =>
        `| ${group} | ${probe} | ${cell(corten)} | ${cell(dockerd)} | ${verdict ?? ''} |`,
    ),
  ].join('\n');
}

function cell(finding: Finding | undefined): string {
  if (finding === undefined) return '';
  return finding.detail === '' ? finding.outcome : `${finding.outcome}: ${finding.detail}`;
}

export function counts(rows: Row[]): string {
  const names = [...new Set(rows.map(({ group }) => group))];
  const line = (name: string, of: Row[]) =>
    `| ${name} | ${of.length} | ${verdicts.map((verdict) => of.filter((row) => row.verdict === verdict).length).join(' | ')} |`;
  return [
    `| group | probes | ${verdicts.join(' | ')} |`,
    '| --- | --- | --- | --- | --- |',
    ...names.map((name) =>
      line(
        name,
        rows.filter(({ group }) => group === name),
      ),
    ),
    line('all', rows),
  ].join('\n');
}
