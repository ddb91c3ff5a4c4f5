import { formatRate, parseBytes } from '../../messages/format.ts';
import { useLimitWords } from '../../messages/use-limit-words.ts';
import { useText } from '../../messages/use-text.ts';
import { SliderField } from '../../ui/slider-field.tsx';
import { logFileStops, logStops, rateStops } from '../../ui/stops.ts';
import { asMiB, LimitCard, type Part, whole } from './sliders.tsx';

/** What leaves a container: over the network, and into its log. */
export function FlowSliders({
  draft,
  set,
  sent,
  received,
}: Part & { sent: number | undefined; received: number | undefined }) {
  const t = useText();
  const bytes = {
    ...useLimitWords(),
    format: asKiB,
    parse: (text: string) => parseBytes(text, 'm'),
  };
  const now = (rate: number | undefined) =>
    rate === undefined ? undefined : t('limits.use', { use: formatRate(rate) });
  const floor = (rate: number | undefined) =>
    rate !== undefined && rate < 1000 ? t('limits.rateFloor') : undefined;
  return (
    <>
      <LimitCard title={t('limits.network')}>
        <SliderField
          {...bytes}
          label={t('limits.egress')}
          unit="MiB/s"
          value={draft.egress}
          onChange={(egress) => set({ egress })}
          stops={rateStops}
          use={sent}
          useLabel={now(sent)}
          error={floor(draft.egress)}
        />
        <SliderField
          {...bytes}
          label={t('limits.ingress')}
          unit="MiB/s"
          value={draft.ingress}
          onChange={(ingress) => set({ ingress })}
          stops={rateStops}
          use={received}
          useLabel={now(received)}
          error={floor(draft.ingress)}
        />
      </LimitCard>
      <LimitCard title={t('limits.log')}>
        <SliderField
          {...bytes}
          format={asMiB}
          label={t('limits.logBytes')}
          unit="MiB"
          value={draft.logBytes}
          onChange={(logBytes) => set({ logBytes })}
          stops={logStops}
          error={
            draft.logBytes !== undefined && draft.logBytes < 65_536
              ? t('limits.logFloor')
              : undefined
          }
        />
        <SliderField
          {...useLimitWords()}
          label={t('limits.logFiles')}
          unit={t('limits.unit.files')}
          value={draft.logFiles}
          onChange={(logFiles) => set({ logFiles })}
          stops={logFileStops}
          format={String}
          parse={whole}
          useLabel={t('limits.logHelp')}
        />
      </LimitCard>
    </>
  );
}

/** Rates are small: three digits below one MiB, so that what was typed comes back. */
function asKiB(bytes: number): string {
  const value = bytes / 1024 ** 2;
  return String(value < 1 ? Number(value.toPrecision(3)) : Math.round(value * 10) / 10);
}
