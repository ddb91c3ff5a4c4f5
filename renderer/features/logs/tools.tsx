import { useState } from 'react';
import { useText } from '../../messages/use-text.ts';
import { IconButton, ToggleButton } from '../../ui/button.tsx';
import { SearchField } from '../../ui/field.tsx';
import type { useSearch } from './use-search.ts';

export function LogTools({
  search,
  times,
  follow,
  count,
  onStep,
  onTimes,
  onFollow,
  onClear,
  onDownload,
}: {
  search: ReturnType<typeof useSearch>;
  times: boolean;
  follow: boolean;
  count: number;
  onStep: (direction: 1 | -1) => void;
  onTimes: () => void;
  onFollow: () => void;
  onClear: () => void;
  onDownload: () => void;
}) {
  const t = useText();
  const [query, setQuery] = useState('');
  const change = (next: string) => {
    setQuery(next);
    search.setQuery(next);
  };
  return (
    <div className="log-tools" role="toolbar" aria-label={t('logs.tools')}>
      <div className="log-search">
        <SearchField
          label={t('logs.search')}
          value={query}
          onChange={change}
          onKeyDown={(event) => {
            if (event.key === 'Enter') onStep(event.shiftKey ? -1 : 1);
            if (event.key === 'Escape') change('');
          }}
        />
      </div>
      {query === '' ? null : (
        <>
          <span className="muted log-found" role="status">
            {t('logs.found', { position: search.position, count: search.found.lines.length })}
          </span>
          <IconButton
            icon="up"
            label={t('logs.previous')}
            shortcut="⇧↵"
            onClick={() => onStep(-1)}
          />
          <IconButton icon="down" label={t('logs.next')} shortcut="↵" onClick={() => onStep(1)} />
        </>
      )}
      <span className="spacer" />
      <span className="muted">{t('logs.lines', { count })}</span>
      <ToggleButton icon="follow" pressed={follow} onClick={onFollow}>
        {t('logs.follow')}
      </ToggleButton>
      <ToggleButton icon="clock" pressed={times} onClick={onTimes}>
        {t('logs.times')}
      </ToggleButton>
      <IconButton icon="download" label={t('logs.download')} onClick={onDownload} />
      <IconButton icon="close" label={t('logs.clear')} onClick={onClear} />
    </div>
  );
}
