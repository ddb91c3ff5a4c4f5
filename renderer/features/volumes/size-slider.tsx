import { minDiskBytes } from '../../../agent/contract/limits.ts';
import { formatBytes, parseBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { SliderField } from '../../ui/slider-field.tsx';
import { spaceStops } from '../../ui/stops.ts';

export function isTooSmall(bytes: number | undefined): boolean {
  return bytes !== undefined && bytes < minDiskBytes;
}

export function SizeSlider({
  value,
  onChange,
  used,
  note,
}: {
  value: number | undefined;
  onChange: (value: number | undefined) => void;
  used?: number;
  note: string;
}) {
  const t = useText();
  return (
    <SliderField
      label={t('volumes.size')}
      unit=""
      clearLabel={t('limits.clear')}
      noLimitLabel={t('limits.none')}
      wrongLabel={(example) => t('limits.wrong', { example })}
      value={value}
      onChange={onChange}
      stops={spaceStops}
      format={formatBytes}
      parse={(text) => parseBytes(text, 'm')}
      use={used}
      useLabel={note}
      error={isTooSmall(value) ? t('limits.spaceFloor') : undefined}
    />
  );
}
