import type { ReactNode } from 'react';
import type { StatsSample } from '../../bridge/stats.ts';
import { formatBytes, formatCpuPercent, parseBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { TextField } from '../../ui/field.tsx';
import { SliderField } from '../../ui/slider-field.tsx';
import { byteStops, cpuStops, pidStops, shareStops } from '../../ui/stops.ts';
import type { Draft } from './draft.ts';
import type { Warnings } from './warnings.ts';

const MiB = 1024 ** 2;

interface Part {
  draft: Draft;
  set: (part: Partial<Draft>) => void;
  use: StatsSample | undefined;
  warnings: Warnings;
  /** What the last hour says of the card's first limit. */
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
  warnings,
  advice,
  machineCpus,
}: Part & { machineCpus: number }) {
  const t = useText();
  const words = useWords();
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
        useLabel={use && t('limits.use', { use: formatCpuPercent(use.cpus) })}
        warning={warnings.cpus}
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

export function MemorySliders({
  draft,
  set,
  use,
  warnings,
  advice,
  machineBytes,
}: Part & { machineBytes: number }) {
  const t = useText();
  const words = useWords();
  const stops = byteStops(machineBytes);
  return (
    <LimitCard title={t('limits.memory')}>
      <SliderField
        {...words}
        label={t('limits.memoryMax')}
        unit="MiB"
        value={draft.memoryBytes}
        onChange={(memoryBytes) => set({ memoryBytes })}
        stops={stops}
        format={asMiB}
        parse={(text) => parseBytes(text, 'm')}
        use={use?.memoryBytes}
        useLabel={use && t('limits.use', { use: formatBytes(use.memoryBytes) })}
        warning={warnings.memory}
        error={
          draft.memoryBytes !== undefined && draft.memoryBytes < 6 * MiB
            ? t('new.problem.memory')
            : undefined
        }
      />
      {advice}
      <SliderField
        {...words}
        label={t('limits.swap')}
        unit="MiB"
        noLimitLabel={t('limits.default')}
        value={draft.swapBytes}
        onChange={(swapBytes) => set({ swapBytes })}
        stops={[0, ...byteStops(machineBytes)]}
        format={asMiB}
        parse={(text) => parseBytes(text, 'm')}
        useLabel={draft.memoryBytes === undefined ? t('limits.swapNeedsMemory') : undefined}
      />
    </LimitCard>
  );
}

export function PidsSlider({ draft, set, use, warnings, advice }: Part) {
  const t = useText();
  return (
    <LimitCard title={t('limits.processes')}>
      <SliderField
        {...useWords()}
        label={t('limits.pids')}
        unit={t('limits.unit.pids')}
        value={draft.pids}
        onChange={(pids) => set({ pids })}
        stops={pidStops}
        format={String}
        parse={(text) => whole(text)}
        use={use?.pids}
        useLabel={use && t('limits.use', { use: use.pids })}
        warning={warnings.pids}
      />
      {advice}
    </LimitCard>
  );
}

function useWords() {
  const t = useText();
  return { clearLabel: t('limits.clear'), noLimitLabel: t('limits.none') };
}

function asMiB(bytes: number): string {
  return String(Math.round((bytes / MiB) * 10) / 10);
}

function positive(text: string): number | undefined {
  const value = Number(text.replace(',', '.'));
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

function whole(text: string): number | undefined {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : undefined;
}
