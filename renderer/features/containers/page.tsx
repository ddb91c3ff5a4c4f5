import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { useText } from '../../messages/use-text.ts';
import { loadContainers, useContainers } from '../../stores/containers.ts';
import { Button } from '../../ui/button.tsx';
import { SearchField } from '../../ui/field.tsx';
import { Empty, Notice, Page, Skeleton } from '../../ui/page.tsx';
import { BulkBar } from './bulk-bar.tsx';
import './containers.css';
import { matchesFilter } from './filter.ts';
import { FirstContainer } from './first-container.tsx';
import { Grid } from './grid.tsx';
import { useSelection } from './use-selection.ts';

export function ContainersPage() {
  const t = useText();
  const [, navigate] = useLocation();
  const { rows, loaded, error } = useContainers();
  const [filter, setFilter] = useState('');
  const applied = useDeferredValue(filter);
  const shown = useMemo(
    () => [...rows.values()].filter((row) => matchesFilter(row, applied)),
    [rows, applied],
  );
  const order = useMemo(() => shown.map((row) => row.id), [shown]);
  const selecting = useSelection(order);
  const open = useCallback(
    (id: string, view: string) =>
      navigate(`/containers/${id.slice(0, 12)}${view ? `/${view}` : ''}`),
    [navigate],
  );
  const search = useFilterKey();
  const chosen = useMemo(
    () => [...rows.values()].filter((row) => selecting.selection[row.id]),
    [rows, selecting.selection],
  );

  return (
    <Page
      title={t('containers.title')}
      tools={
        <>
          <span className="muted" role="status">
            {loaded ? t('containers.count', { count: rows.size, running: runningIn(rows) }) : ''}
          </span>
          <span className="spacer" />
          <div className="filter">
            <SearchField
              ref={search}
              label={t('containers.filter')}
              value={filter}
              onChange={setFilter}
              onKeyDown={(event) => event.key === 'Escape' && setFilter('')}
            />
          </div>
          <Button kind="main" icon="plus" onClick={() => navigate('/new')}>
            {t('containers.new')}
          </Button>
        </>
      }
    >
      {error ? (
        <div className="page-body">
          <Notice>{error}</Notice>
          <p className="retry">
            <Button icon="restart" onClick={() => void loadContainers()}>
              {t('action.retry')}
            </Button>
          </p>
        </div>
      ) : !loaded ? (
        <div className="page-body">
          <Skeleton lines={8} label={t('containers.loading')} />
        </div>
      ) : rows.size === 0 ? (
        <FirstContainer />
      ) : shown.length === 0 ? (
        <Empty
          title={t('containers.noMatch')}
          actions={<Button onClick={() => setFilter('')}>{t('containers.clearFilter')}</Button>}
        >
          {t('containers.noMatchHelp', { filter: applied })}
        </Empty>
      ) : (
        <Grid rows={shown} selecting={selecting} onOpen={open} />
      )}
      {chosen.length > 0 ? <BulkBar rows={chosen} onClear={selecting.clear} /> : null}
    </Page>
  );
}

function runningIn(rows: ReturnType<typeof useContainers.getState>['rows']): number {
  let running = 0;
  for (const row of rows.values()) if (row.status === 'running') running += 1;
  return running;
}

/** `/` leads to the filter from anywhere on the page. */
function useFilterKey() {
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = (event.target as Element).closest?.('input, textarea, [contenteditable]');
      if (event.key !== '/' || typing) return;
      event.preventDefault();
      search.current?.focus();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
  return search;
}
