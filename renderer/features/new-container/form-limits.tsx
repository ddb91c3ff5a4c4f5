import { formatBytes, parseBytes } from '../../messages/format.ts';
import { useLimitWords } from '../../messages/use-limit-words.ts';
import { useText } from '../../messages/use-text.ts';
import { useMachine } from '../../stores/machine.ts';
import { SliderField } from '../../ui/slider-field.tsx';
import { byteStops, cpuStops, pidStops, spaceStops } from '../../ui/stops.ts';
import { type FieldProps, problemOf } from './field-props.ts';

const MiB = 1024 ** 2;

export function FormLimits(props: FieldProps) {
  const t = useText();
  const { form, set } = props;
  const info = useMachine((state) => state.info);
  const words = useLimitWords();
  return (
    <section className="card new-part" aria-label={t('new.limits')}>
      <h2>{t('new.limits')}</h2>
      <SliderField
        {...words}
        label={t('limits.cpus')}
        unit={t('limits.unit.cpus')}
        value={form.cpus}
        onChange={(cpus) => set({ cpus })}
        stops={cpuStops(info?.NCPU ?? 8)}
        format={(value) => String(Math.round(value * 100) / 100)}
        parse={(text) => aboveZero(Number(text.replace(',', '.')))}
        error={problemOf(props, 'cpus', 'set', t)}
      />
      <SliderField
        {...words}
        label={t('limits.memoryMax')}
        unit="MiB"
        value={form.memoryBytes}
        onChange={(memoryBytes) => set({ memoryBytes })}
        stops={byteStops(info?.MemTotal ?? 16 * 1024 ** 3)}
        format={(value) => String(Math.round((value / MiB) * 10) / 10)}
        parse={(text) => parseBytes(text, 'm')}
        error={problemOf(props, 'memory', 'set', t)}
      />
      <SliderField
        {...words}
        noLimitLabel={t('limits.default')}
        label={t('limits.pids')}
        unit={t('limits.unit.pids')}
        value={form.pids}
        onChange={(pids) => set({ pids })}
        stops={pidStops}
        format={String}
        parse={(text) => aboveZero(Math.round(Number(text)))}
      />
      <SliderField
        {...words}
        noLimitLabel={t('limits.default')}
        label={t('limits.space')}
        unit=""
        value={form.diskBytes}
        onChange={(diskBytes) => set({ diskBytes })}
        stops={spaceStops}
        format={formatBytes}
        parse={(text) => parseBytes(text, 'm')}
        useLabel={t('new.spaceHelp')}
        error={problemOf(props, 'disk', 'set', t)}
      />
    </section>
  );
}

function aboveZero(value: number): number | undefined {
  return Number.isFinite(value) && value > 0 ? value : undefined;
}
