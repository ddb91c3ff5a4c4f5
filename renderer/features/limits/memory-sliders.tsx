import { formatBytes, parseBytes } from '../../messages/format.ts';
import { useLimitWords } from '../../messages/use-limit-words.ts';
import { useText } from '../../messages/use-text.ts';
import { CheckField } from '../../ui/checkbox.tsx';
import { SliderField } from '../../ui/slider-field.tsx';
import { byteStops } from '../../ui/stops.ts';
import { type AdvisedPart, asMiB, LimitCard } from './sliders.tsx';

const MiB = 1024 ** 2;
const bytesOf = (text: string) => parseBytes(text, 'm');

export function MemorySliders({
  draft,
  set,
  use,
  advice,
  machineBytes,
  unified,
}: AdvisedPart & { machineBytes: number; unified: boolean }) {
  const t = useText();
  const words = { ...useLimitWords(), unit: 'MiB', format: asMiB, parse: bytesOf };
  const stops = byteStops(machineBytes);
  const floor = (bytes: number | undefined) =>
    bytes !== undefined && bytes < 6 * MiB ? t('new.problem.memory') : undefined;
  return (
    <LimitCard title={t('limits.memory')}>
      <SliderField
        {...words}
        label={t('limits.memoryMax')}
        value={draft.memoryBytes}
        onChange={(memoryBytes) => set({ memoryBytes })}
        stops={stops}
        use={use?.memoryBytes}
        useLabel={use && t('limits.use', { use: formatBytes(use.memoryBytes) })}
        error={floor(draft.memoryBytes)}
      />
      {advice}
      <SliderField
        {...words}
        label={t('limits.swap')}
        noLimitLabel={t('limits.default')}
        value={draft.swapBytes}
        onChange={(swapBytes) => set({ swapBytes })}
        stops={[0, ...byteStops(machineBytes)]}
        useLabel={draft.memoryBytes === undefined ? t('limits.swapNeedsMemory') : undefined}
      />
      <SliderField
        {...words}
        label={t('limits.reservation')}
        noLimitLabel={t('limits.noReservation')}
        value={draft.reservationBytes}
        onChange={(reservationBytes) => set({ reservationBytes })}
        stops={stops}
        useLabel={t('limits.reservationHelp')}
        error={floor(draft.reservationBytes)}
      />
      {unified ? (
        <>
          <SliderField
            {...words}
            label={t('limits.high')}
            value={draft.highBytes}
            onChange={(highBytes) => set({ highBytes })}
            stops={stops}
            useLabel={t('limits.highHelp')}
            error={floor(draft.highBytes)}
          />
          <CheckField
            label={t('limits.oomGroup')}
            checked={draft.oomGroup ?? true}
            onChange={(oomGroup) => set({ oomGroup })}
          />
        </>
      ) : (
        <p className="field-note">{t('limits.needsUnified')}</p>
      )}
    </LimitCard>
  );
}
