import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useText } from '../../messages/use-text.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { useInspection } from '../../stores/inspection.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, Notice, Skeleton } from '../../ui/page.tsx';
import { downloadLog } from './download.ts';
import { LogLineView } from './log-line-view.tsx';
import './logs.css';
import { LogTools } from './tools.tsx';
import { useLog } from './use-log.ts';
import { useSearch } from './use-search.ts';

const lineHeight = 18;

export function LogsView({ row }: { row: ContainerRow }) {
  const t = useText();
  const document = useInspection((state) => (state.id === row.id ? state.document : undefined));
  const { buffer, version, ready, error, clear } = useLog(row, document?.Config?.Tty);
  const search = useSearch(buffer, version);
  const [times, setTimes] = useState(false);
  const [follow, setFollow] = useState(true);
  const scroller = useRef<HTMLDivElement>(null);
  const count = buffer.end - buffer.first;

  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => lineHeight,
    overscan: 20,
  });
  useStickToEnd(scroller, follow, version);
  useHoldPlace(scroller, follow, buffer.first);

  const step = (direction: 1 | -1) => {
    const number = search.step(direction);
    if (number === undefined) return;
    setFollow(false);
    virtual.scrollToIndex(number - buffer.first, { align: 'center' });
  };
  const onScroll = () => {
    const element = scroller.current;
    if (!element) return;
    const below = element.scrollHeight - element.scrollTop - element.clientHeight;
    setFollow(below < lineHeight * 2);
  };

  return (
    <div className="logs">
      <LogTools
        search={search}
        times={times}
        follow={follow}
        count={count}
        onStep={step}
        onTimes={() => setTimes(!times)}
        onFollow={() => setFollow(!follow)}
        onClear={clear}
        onDownload={() => downloadLog(buffer, row.name, times)}
      />
      {error ? (
        <div className="logs-notice">
          <Notice>{error}</Notice>
        </div>
      ) : null}
      {ready && count === 0 && !error ? (
        <Empty title={t('logs.empty')}>{t('logs.emptyHelp')}</Empty>
      ) : null}
      {ready ? null : (
        <div className="page-body">
          <Skeleton lines={10} label={t('logs.loading')} />
        </div>
      )}
      <div
        ref={scroller}
        className={count === 0 ? 'log-scroll empty-log' : 'log-scroll'}
        onScroll={onScroll}
        role="log"
        aria-label={t('logs.of', { name: row.name })}
        aria-live="off"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1).
        tabIndex={0}
      >
        <div className="log-lines" style={{ height: `${virtual.getTotalSize()}px` }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const number = buffer.first + index;
            const line = buffer.at(number);
            return line ? (
              <LogLineView
                key={number}
                line={line}
                top={start}
                query={search.found.query}
                current={number === search.current}
                times={times}
                stderrLabel={t('logs.stderr')}
              />
            ) : null;
          })}
        </div>
      </div>
      {follow || count === 0 ? null : (
        <div className="log-jump">
          <Button icon="follow" onClick={() => setFollow(true)}>
            {t('logs.jump')}
          </Button>
        </div>
      )}
    </div>
  );
}

type Scroller = React.RefObject<HTMLDivElement | null>;

/** While following, new lines stay in sight. */
function useStickToEnd(scroller: Scroller, follow: boolean, version: number): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` says that lines came.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (follow && element) element.scrollTop = element.scrollHeight;
  }, [scroller, follow, version]);
}

/** While reading, lines that fall out of the ring at the top do not move the text. */
function useHoldPlace(scroller: Scroller, follow: boolean, first: number): void {
  const before = useRef(first);
  useEffect(() => {
    const gone = first - before.current;
    before.current = first;
    if (gone > 0 && !follow && scroller.current) scroller.current.scrollTop -= gone * lineHeight;
  }, [scroller, follow, first]);
}
