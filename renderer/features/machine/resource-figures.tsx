import type { MachineState } from '../../bridge/machines.ts';
import type { MachineFigures } from '../../bridge/resources.ts';
import { formatBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { isUp } from '../../stores/machine.ts';
import { compact, useResources } from '../../stores/resources.ts';
import { Button } from '../../ui/button.tsx';

/** What it takes of this computer now, and giving back what the disk's file no longer needs. */
export function MachineFiguresPart({
  machine,
  figures,
  advice,
}: {
  machine: MachineState;
  figures: MachineFigures | undefined;
  advice: string | undefined;
}) {
  const t = useText();
  const away = machine.status === 'paused' ? t('resources.paused') : t('resources.stopped');
  const inside = figures?.guestMemoryBytes;
  const outside = figures?.hostMemoryBytes;
  const isRunning = machine.status === 'running';
  const unknown = isRunning || figures === undefined ? '–' : undefined;
  const pairs: [string, string][] = [
    [
      t('resources.hostMemory'),
      // Some systems tell it only in their own tools.
      outside === undefined ? (unknown ?? away) : formatBytes(outside),
    ],
    [t('resources.guestMemory'), inside === undefined ? (unknown ?? away) : formatBytes(inside)],
    [
      t('resources.diskFile'),
      figures === undefined
        ? '–'
        : t('resources.diskFileOf', {
            used: formatBytes(figures.disk.allocatedBytes),
            size: formatBytes(figures.disk.sizeBytes),
          }),
    ],
  ];
  if (figures !== undefined && figures.snapshotBytes > 0)
    pairs.push([t('resources.snapshot'), formatBytes(figures.snapshotBytes)]);
  return (
    <>
      <h3>{t('resources.figures')}</h3>
      <dl className="machine-pairs">
        {pairs.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Compact canRun={isUp(machine)} advice={advice} />
    </>
  );
}

function Compact({ canRun, advice }: { canRun: boolean; advice: string | undefined }) {
  const t = useText();
  const progress = useResources((state) => state.compacting);
  const isUnderWay = progress?.phase === 'trimming';
  const freed = formatBytes(progress?.freedBytes ?? 0);
  const said = () => {
    if (isUnderWay) return t('resources.compacting', { freed });
    if (progress === undefined)
      return t(canRun ? 'resources.compactHelp' : 'resources.compactStopped');
    return progress.freedBytes > 0
      ? t('resources.compacted', { freed })
      : t('resources.compactedNothing');
  };
  return (
    <div className="machine-compact">
      <Button disabled={!canRun || isUnderWay} onClick={() => void compact()}>
        {t('resources.compact')}
      </Button>
      <span className="muted" role="status">
        {said()}
      </span>
      {isUnderWay ? <progress aria-label={t('resources.compact')} /> : null}
      {advice === undefined ? null : <p className="field-note">{advice}</p>}
    </div>
  );
}
