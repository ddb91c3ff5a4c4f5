import { useEffect, useRef, useState } from 'react';
import { useText } from '../../messages/use-text.ts';
import { command } from '../../stores/container-actions.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { SearchField } from '../../ui/field.tsx';
import { Empty } from '../../ui/page.tsx';
import {
  addSession,
  bringToFront,
  closeSession,
  connect,
  type Session,
  useSessions,
} from './sessions.ts';
import './terminal.css';

/** Shells in a container, in tabs. */
export default function TerminalView({ row }: { row: ContainerRow }) {
  const t = useText();
  const all = useSessions((state) => state.sessions);
  const frontId = useSessions((state) => state.front[row.id]);
  const mine = all.filter((session) => session.containerId === row.id);
  const front = mine.find((session) => session.id === frontId) ?? mine.at(-1);
  const tabs = useRef<HTMLDivElement>(null);
  const [searching, setSearching] = useState(false);
  const running = row.status === 'running';

  const keys = (event: KeyboardEvent): boolean => {
    if (event.type !== 'keydown') return true;
    const chord = event.ctrlKey && event.shiftKey;
    // Tab belongs to the shell, so leaving needs a key of its own (WCAG 2.1.2).
    if (event.key === 'Escape' && event.shiftKey) {
      tabs.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
      return false;
    }
    if (chord && event.code === 'KeyF') {
      event.preventDefault();
      setSearching(true);
      return false;
    }
    if (chord && event.code === 'KeyC') {
      event.preventDefault();
      copySelection(row.id);
      return false;
    }
    // The browser pastes, and xterm hears of it.
    return !(chord && event.code === 'KeyV');
  };
  const latestKeys = useRef(keys);
  latestKeys.current = keys;
  const add = () => addSession(row.id, (event) => latestKeys.current(event));

  // Coming here is asking for a shell.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when the container or its state changes.
  useEffect(() => {
    const has = useSessions.getState().sessions.some((one) => one.containerId === row.id);
    if (running && !has) add();
  }, [row.id, running]);

  if (!front)
    return running ? null : (
      <Empty
        title={t('terminal.stopped')}
        actions={
          row.status === 'paused' ? (
            <Button kind="main" icon="unpause" onClick={() => void command([row.id], 'unpause')}>
              {t('verb.unpause')}
            </Button>
          ) : (
            <Button kind="main" icon="start" onClick={() => void command([row.id], 'start')}>
              {t('verb.start')}
            </Button>
          )
        }
      >
        {t('terminal.stoppedHelp', { name: row.name })}
      </Empty>
    );
  return (
    <div className="terminal">
      <div className="terminal-head">
        <div ref={tabs} role="tablist" aria-label={t('terminal.tabs')} className="terminal-tabs">
          {mine.map((session, index) => (
            <Tab
              key={session.id}
              session={session}
              number={index + 1}
              front={session === front}
              onMove={(step) => {
                const next = mine[(index + step + mine.length) % mine.length]!;
                bringToFront(next);
                const buttons = tabs.current?.querySelectorAll<HTMLElement>('[role="tab"]');
                buttons?.[mine.indexOf(next)]?.focus();
              }}
            />
          ))}
        </div>
        <IconButton icon="plus" label={t('terminal.add')} disabled={!running} onClick={add} />
        <span className="spacer" />
        {searching ? (
          <ScreenSearch session={front} onClose={() => setSearching(false)} />
        ) : (
          <IconButton
            icon="search"
            label={t('terminal.search')}
            shortcut="Ctrl ⇧ F"
            onClick={() => setSearching(true)}
          />
        )}
        <IconButton icon="close" label={t('terminal.close')} onClick={() => closeSession(front)} />
      </div>
      <Place key={front.id} session={front} label={t('terminal.of', { name: row.name })} />
      <EndBar session={front} running={running} row={row} />
    </div>
  );
}

function Tab({
  session,
  number,
  front,
  onMove,
}: {
  session: Session;
  number: number;
  front: boolean;
  onMove: (step: 1 | -1) => void;
}) {
  const t = useText();
  return (
    <button
      type="button"
      role="tab"
      aria-selected={front}
      tabIndex={front ? 0 : -1}
      className="terminal-tab"
      onClick={() => bringToFront(session)}
      onKeyDown={(event) => {
        if (event.key === 'ArrowRight') onMove(1);
        if (event.key === 'ArrowLeft') onMove(-1);
        if (event.key === 'ArrowDown') session.screen.terminal.focus();
      }}
    >
      {t('terminal.tab', { number })}
    </button>
  );
}

/** Where the session's screen lies while its tab is in front. */
function Place({ session, label }: { session: Session; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  const { screen } = session;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the session's state changes, its screen does not.
  useEffect(() => {
    const host = place.current!;
    host.append(screen.element);
    screen.fit();
    if (session.state === 'connecting') void connect(session);
    screen.terminal.focus();
    const observer = new ResizeObserver(() => screen.fit());
    observer.observe(host);
    return () => {
      observer.disconnect();
      screen.element.remove();
    };
  }, [screen]);
  return <div ref={place} className="terminal-place" role="tabpanel" aria-label={label} />;
}

function EndBar({
  session,
  running,
  row,
}: {
  session: Session;
  running: boolean;
  row: ContainerRow;
}) {
  const t = useText();
  const reconnect = () => {
    void connect(session);
    // The button goes; what is typed next is for the shell.
    session.screen.terminal.focus();
  };
  if (session.state === 'open') return null;
  const words =
    session.state === 'connecting'
      ? t('terminal.connecting')
      : session.state === 'failed'
        ? (session.message ?? t('terminal.lost'))
        : session.code === undefined
          ? t('terminal.endedPlain')
          : t('terminal.ended', { code: session.code });
  return (
    <div className="terminal-end" role="status">
      <span>{words}</span>
      {session.state === 'connecting' ? null : running ? (
        <Button icon="restart" onClick={reconnect}>
          {t('terminal.reconnect')}
        </Button>
      ) : (
        <Button icon="start" onClick={() => void command([row.id], 'start')}>
          {t('verb.start.named', { name: row.name })}
        </Button>
      )}
    </div>
  );
}

function ScreenSearch({ session, onClose }: { session: Session; onClose: () => void }) {
  const t = useText();
  const [query, setQuery] = useState('');
  const { search, terminal } = session.screen;
  const close = () => {
    search.clearDecorations();
    onClose();
    terminal.focus();
  };
  return (
    <div className="terminal-search">
      <SearchField
        autoFocus
        label={t('terminal.search')}
        value={query}
        onChange={(next) => {
          setQuery(next);
          search.findNext(next, { incremental: true });
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter')
            if (event.shiftKey) search.findPrevious(query);
            else search.findNext(query);
          if (event.key === 'Escape') close();
        }}
      />
      <IconButton icon="close" label={t('terminal.searchClose')} onClick={close} />
    </div>
  );
}

function copySelection(containerId: string): void {
  const { sessions, front } = useSessions.getState();
  const session = sessions.find((one) => one.id === front[containerId]);
  const text = session?.screen.terminal.getSelection();
  if (text) void navigator.clipboard.writeText(text);
}
