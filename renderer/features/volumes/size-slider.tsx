import { minDiskBytes } from '../../../agent/contract/limits.ts';
import { formatBytes, parseBytes } from '../../messages/format.ts';
import { useLimitWords } from '../../messages/use-limit-words.ts';
import { useText } from '../../messages/use-text.ts';
import { SliderField } from '../../ui/slider-field.tsx';
import { spaceStops } from '../../ui/stops.ts';

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
  const words = useLimitWords();
  return (
    <SliderField
      label={t('volumes.size')}
      unit=""
      {...words}
      value={value}
      onChange={onChange}
      stops={spaceStops}
      format={formatBytes}
      parse={(text) => parseBytes(text, 'm')}
      use={used}
      useLabel={note}
      error={value !== undefined && value < minDiskBytes ? t('limits.spaceFloor') : undefined}
    />
  );
}
