import { useEffect } from 'react';
import { minDiskBytes, minDiskInodes } from '../../../agent/contract/limits.ts';
import { formatBytes, parseBytes } from '../../messages/format.ts';
import { useLimitWords } from '../../messages/use-limit-words.ts';
import { useText } from '../../messages/use-text.ts';
import { followDiskUsage, useDiskUsage } from '../../stores/disk-usage.ts';
import { littleLeft } from '../../stores/space.ts';
import { SliderField } from '../../ui/slider-field.tsx';
import { inodeStops, spaceStops } from '../../ui/stops.ts';
import type { Draft } from './draft.ts';
import { LimitCard, whole } from './sliders.tsx';

/** Disk space of the container's own files, running or not: what they hold is on the disk either way. */
export function SpaceSliders({
  id,
  draft,
  set,
}: {
  id: string;
  draft: Draft;
  set: (part: Partial<Draft>) => void;
}) {
  const t = useText();
  const usage = useDiskUsage((state) => (state.id === id ? state.usage : undefined));
  const error = useDiskUsage((state) => (state.id === id ? state.error : undefined));
  useEffect(() => followDiskUsage(id), [id]);
  const bytes = usage?.usedBytes ?? undefined;
  const left = usage && littleLeft(usage);
  const files = usage?.usedInodes ?? undefined;
  const room = usage?.maxInodes ?? undefined;
  // Nobody counts: then nobody can hold it to a limit either.
  const words = { ...useLimitWords(), disabled: bytes === undefined };
  return (
    <LimitCard title={t('limits.spaceCard')}>
      {error || usage?.usedBytes === null ? (
        <p className="field-note">{error ?? t('limits.noSpace')}</p>
      ) : null}
      <SliderField
        {...words}
        label={t('limits.space')}
        unit=""
        value={draft.diskBytes}
        onChange={(diskBytes) => set({ diskBytes })}
        stops={spaceStops}
        format={formatBytes}
        parse={(text) => parseBytes(text, 'm')}
        use={bytes}
        useLabel={bytes === undefined ? undefined : t('limits.use', { use: formatBytes(bytes) })}
        warning={
          left === undefined || draft.diskBytes !== usage?.maxBytes
            ? undefined
            : t('limits.nearlyFull', { left: formatBytes(left) })
        }
        error={
          draft.diskBytes !== undefined && draft.diskBytes < minDiskBytes
            ? t('limits.spaceFloor')
            : undefined
        }
      />
      {usage?.inodesAreFixed ? <p className="field-note">{t('limits.inodesFixed')}</p> : null}
      <SliderField
        {...words}
        disabled={words.disabled || usage?.inodesAreFixed === true}
        label={t('limits.inodes')}
        unit={t('limits.unit.inodes')}
        value={draft.diskInodes}
        onChange={(diskInodes) => set({ diskInodes })}
        stops={inodeStops}
        format={String}
        parse={whole}
        use={files}
        useLabel={
          files === undefined
            ? undefined
            : room === undefined
              ? t('limits.use', { use: files })
              : t('limits.useOf', { use: files, room })
        }
        error={
          draft.diskInodes !== undefined && draft.diskInodes < minDiskInodes
            ? t('limits.inodesFloor')
            : undefined
        }
      />
    </LimitCard>
  );
}
