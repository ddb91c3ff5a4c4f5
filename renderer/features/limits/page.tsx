import { useEffect, useState } from 'react';
import { useText } from '../../messages/use-text.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { changeLimits, loadLimits, useLimits } from '../../stores/limits.ts';
import { useMachine } from '../../stores/machine.ts';
import { followPressure, followSuggestions, reloadSuggestions } from '../../stores/pressure.ts';
import { useStats, watchFigures } from '../../stores/stats.ts';
import { Button } from '../../ui/button.tsx';
import { Notice, Skeleton } from '../../ui/page.tsx';
import { focusWrong } from '../../ui/wrong-field.ts';
import { Advice } from './advice.tsx';
import { DeviceLimits } from './device-limits.tsx';
import { type Draft, toChange, toDraft } from './draft.ts';
import { dropEdits, type Edits, edit, settleEdits, useEdits } from './edits.ts';
import { FlowSliders } from './flow-sliders.tsx';
import { PageLimits } from './page-limits.tsx';
import './limits.css';
import { MemorySliders } from './memory-sliders.tsx';
import { CpuSliders, ProcessSliders } from './sliders.tsx';
import { SpaceSliders } from './space-sliders.tsx';
import { useDryRun } from './warnings.ts';

/** Limits of a container, running or not, with what it uses now beside them. */
export function LimitsView({ row }: { row: ContainerRow }) {
  const t = useText();
  const limits = useLimits((state) => state.limits[row.id]);
  const error = useLimits((state) => state.errors[row.id]);
  const info = useMachine((state) => state.info);
  const figures = useStats((state) => state.figures[row.id]);
  const edits = useEdits((state) => state.of[row.id]);
  const [applying, setApplying] = useState(false);
  const [failure, setFailure] = useState<string>();
  const live = row.status === 'running' || row.status === 'paused';

  // The row is new after each event: somebody else may have changed the limits.
  useEffect(() => {
    void loadLimits(row.id);
    void reloadSuggestions(row.id);
  }, [row]);
  useEffect(() => (live ? watchFigures(row.id) : undefined), [row.id, live]);
  useEffect(() => followPressure(row.id), [row.id]);
  useEffect(() => followSuggestions(row.id), [row.id]);
  const saved = limits && toDraft(limits);
  const change = saved && toChange(saved, { ...saved, ...edits });
  const foreseen = useDryRun(row.id, change);
  if (!saved)
    return (
      <div className="page-body limits">
        {error ? <Notice>{error}</Notice> : <Skeleton lines={6} label={t('limits.loading')} />}
      </div>
    );

  const draft = { ...saved, ...edits };
  const shown = live ? figures : undefined;
  const set = (part: Edits) => {
    setFailure(undefined);
    edit(row.id, part);
  };
  const apply = async () => {
    if (!change) return;
    setApplying(true);
    if (await foreseen.mayApply()) {
      const refusal = await changeLimits(row.id, row.name, change, toChange(draft, saved));
      setFailure(refusal);
      if (refusal === undefined) settleEdits(row.id, edits ?? {});
    }
    setApplying(false);
  };
  /** At once, and with the way back; what else was edited stays edited. */
  const applySuggested = async (part: Partial<Draft>) => {
    const next = { ...saved, ...part };
    const suggested = toChange(saved, next);
    if (!suggested) return;
    setApplying(true);
    const refusal = await changeLimits(row.id, row.name, suggested, toChange(next, saved));
    setFailure(refusal);
    if (refusal === undefined) {
      // What of it was moved by hand before gives way to it.
      edit(row.id, part);
      settleEdits(row.id, part);
    }
    setApplying(false);
  };
  const reset = () => {
    setFailure(undefined);
    dropEdits(row.id);
  };
  const parts = { draft, set, use: shown?.latest };
  const advice = (limit: 'cpu' | 'memory' | 'pids') => (
    <Advice id={row.id} limit={limit} busy={applying} onUse={(part) => void applySuggested(part)} />
  );
  return (
    <form
      className="page-body limits"
      onSubmit={(event) => {
        event.preventDefault();
        if (focusWrong(event.currentTarget)) setFailure(t('limits.notAllRight'));
        else void apply();
      }}
    >
      {error ? <Notice>{error}</Notice> : null}
      <CpuSliders {...parts} advice={advice('cpu')} machineCpus={info?.NCPU ?? 8} />
      <MemorySliders
        {...parts}
        advice={advice('memory')}
        machineBytes={info?.MemTotal ?? 16 * 1024 ** 3}
        unified={info?.CgroupVersion === '2'}
      />
      <ProcessSliders {...parts} advice={advice('pids')} />
      <SpaceSliders id={row.id} draft={draft} set={set} />
      <FlowSliders {...parts} sent={shown?.sent.at(-1)} received={shown?.received.at(-1)} />
      <DeviceLimits {...parts} />
      <PageLimits pages={draft.pages} onChange={(pages) => set({ pages })} />
      <div className="limits-actions">
        {(failure ?? foreseen.refusal) ? <Notice>{failure ?? foreseen.refusal}</Notice> : null}
        {foreseen.warnings.length > 0 ? (
          <Notice kind="warn">
            {foreseen.warnings.map((warning) => (
              <p key={warning}>{warning}</p>
            ))}
          </Notice>
        ) : null}
        <Button kind="main" type="submit" disabled={!change || applying}>
          {applying ? t('limits.applying') : live ? t('limits.apply') : t('limits.save')}
        </Button>
        <Button disabled={!change || applying} onClick={reset}>
          {t('limits.reset')}
        </Button>
        <span className="muted" role="status">
          {change ? t('limits.changed') : live ? t('limits.liveHelp') : t('limits.stoppedHelp')}
        </span>
      </div>
    </form>
  );
}
