import type { ReactNode } from 'react';
import type { StatsSample } from '../../bridge/stats.ts';
import { formatCpus } from '../../messages/format.ts';
import { useLimitWords } from '../../messages/use-limit-words.ts';
import { useText } from '../../messages/use-text.ts';
import { TextField } from '../../ui/field.tsx';
import { SliderField } from '../../ui/slider-field.tsx';
import { burstStops, cpuStops, openFileStops, pidStops, shareStops } from '../../ui/stops.ts';
import type { Draft } from './draft.ts';
import { cpuWarning } from './warnings.ts';

const MiB = 1024 ** 2;

export interface Part {
  draft: Draft;
  set: (part: Partial<Draft>) => void;
  use: StatsSample | undefined;
}

/** A card whose first limit the last hour has something to say of. */
export interface AdvisedPart extends Part {
  advice: ReactNode;
}

export function LimitCard({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="card limit-card" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

export function CpuSliders({
  draft,
  set,
  use,
  advice,
  machineCpus,
}: AdvisedPart & { machineCpus: number }) {
  const t = useText();
  const words = useLimitWords();
  return (
    <LimitCard title={t('limits.cpu')}>
      <SliderField
        {...words}
        label={t('limits.cpus')}
        unit={t('limits.unit.cpus')}
        value={draft.cpus}
        onChange={(cpus) => set({ cpus })}
        stops={cpuStops(machineCpus)}
        format={(value) => String(Math.round(value * 100) / 100)}
        parse={positive}
        use={use?.cpus}
        useLabel={use && t('limits.use', { use: formatCpus(use.cpus) })}
        warning={cpuWarning(draft, use, t)}
        error={draft.cpus !== undefined && draft.cpus < 0.01 ? t('limits.cpusFloor') : undefined}
      />
      {advice}
      <SliderField
        {...words}
        label={t('limits.shares')}
        unit={t('limits.unit.shares')}
        noLimitLabel={t('limits.default')}
        value={draft.cpuShares}
        onChange={(cpuShares) => set({ cpuShares })}
        stops={shareStops}
        format={String}
        parse={positive}
        useLabel={t('limits.sharesHelp')}
      />
      <SliderField
        {...words}
        label={t('limits.burst')}
        unit="ms"
        noLimitLabel={t('limits.noBurst')}
        value={draft.burstMs}
        onChange={(burstMs) => set({ burstMs })}
        stops={burstStops}
        format={String}
        parse={positive}
        useLabel={draft.cpus === undefined ? t('limits.burstNeedsCpus') : t('limits.burstHelp')}
      />
      <div className="limit-text">
        <TextField
          label={t('limits.cpuset')}
          value={draft.cpuset}
          placeholder={t('limits.anyCpu')}
          note={t('limits.cpusetHelp')}
          error={/^[\d,-]*$/.test(draft.cpuset) ? undefined : t('limits.cpusetWrong')}
          onChange={(cpuset) => set({ cpuset })}
        />
      </div>
    </LimitCard>
  );
}

export function ProcessSliders({ draft, set, use, advice }: AdvisedPart) {
  const t = useText();
  const words = useLimitWords();
  return (
    <LimitCard title={t('limits.processes')}>
      <SliderField
        {...words}
        label={t('limits.pids')}
        unit={t('limits.unit.pids')}
        value={draft.pids}
        onChange={(pids) => set({ pids })}
        stops={pidStops}
        format={String}
        parse={whole}
        use={use?.pids}
        useLabel={use && t('limits.use', { use: use.pids })}
      />
      {advice}
      <SliderField
        {...words}
        label={t('limits.openFiles')}
        unit={t('limits.unit.openFiles')}
        noLimitLabel={t('limits.default')}
        value={draft.openFiles}
        onChange={(openFiles) => set({ openFiles })}
        stops={openFileStops}
        format={String}
        parse={whole}
        useLabel={t('limits.openFilesHelp')}
        error={
          draft.openFiles !== undefined && draft.openFiles < 16
            ? t('limits.openFilesFloor')
            : undefined
        }
      />
    </LimitCard>
  );
}

export function asMiB(bytes: number): string {
  return String(Math.round((bytes / MiB) * 10) / 10);
}

export function positive(text: string): number | undefined {
  const value = Number(text.replace(',', '.'));
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

export function whole(text: string): number | undefined {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : undefined;
}
