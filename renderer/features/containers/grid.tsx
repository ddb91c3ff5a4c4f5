import { type SortingState, useTable } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import { useText } from '../../messages/use-text.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { Checkbox } from '../../ui/checkbox.tsx';
import { ColumnHeader, GridRow } from '../../ui/grid-parts.tsx';
import { Icon } from '../../ui/icon.tsx';
import { useNow } from '../../ui/use-now.ts';
import { columns, features } from './columns.ts';
import { toItems } from './filter.ts';
import { handleRowKey } from './keys.ts';
import { Row } from './row.tsx';
import { StackRow } from './stack-row.tsx';
import type { useSelection } from './use-selection.ts';

const rowHeight = 36;
const headHeight = 32;

/** The containers as a grid. Only the rows on the screen exist, and only they have live figures. */
export function Grid({
  rows,
  selecting,
  onOpen,
}: {
  rows: ContainerRow[];
  selecting: ReturnType<typeof useSelection>;
  onOpen: (id: string, view: string) => void;
}) {
  const t = useText();
  const nowMs = useNow(10_000);
  const [sorting, setSorting] = useState<SortingState>([{ id: 'createdAtMs', desc: false }]);
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [activeId, setActiveId] = useState<string>();
  const { selection, setSelection, select, selectMany, clear } = selecting;

  const table = useTable({
    features,
    columns,
    data: rows,
    getRowId: (row) => row.id,
    state: { sorting, rowSelection: selection },
    onSortingChange: setSorting,
    onRowSelectionChange: setSelection,
  });
  const sorted = table.getRowModel().rows;
  const items = useMemo(
    () =>
      toItems(
        sorted.map((row) => row.original),
        closed,
      ),
    [sorted, closed],
  );
  const shownIds = useMemo(
    () => items.flatMap((item) => (item.kind === 'row' ? [item.row.id] : [])),
    [items],
  );

  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    // The head scrolls along and stays on top.
    scrollMargin: headHeight,
    scrollPaddingStart: headHeight,
    overscan: 6,
    getItemKey: (index) => {
      const item = items[index]!;
      return item.kind === 'row' ? item.row.id : `stack ${item.stack}`;
    },
  });

  const focusWanted = useRef(false);
  const moveTo = (id: string | undefined) => {
    if (id === undefined) return;
    focusWanted.current = true;
    setActiveId(id);
    virtual.scrollToIndex(items.findIndex((item) => item.kind === 'row' && item.row.id === id));
    requestAnimationFrame(() => focusRow(id));
  };
  const focusRow = (id: string) => {
    scroller.current?.querySelector<HTMLElement>(`[data-id="${id}"]`)?.focus();
    focusWanted.current = false;
  };
  // A row that has to be scrolled into being takes the focus when it is there.
  useEffect(() => {
    if (focusWanted.current && activeId) focusRow(activeId);
  });

  const active = activeId && shownIds.includes(activeId) ? activeId : shownIds[0];
  const onKeyDown = (event: KeyboardEvent) =>
    handleRowKey(event, {
      row: rows.find((row) => row.id === active),
      order: shownIds,
      selection,
      moveTo,
      select,
      selectAll: () => selectMany(shownIds, true),
      clear,
      open: onOpen,
    });

  const chosen = shownIds.filter((id) => selection[id]).length;
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows are placed by transform, which a table cannot.
    <div
      role="grid"
      aria-label={t('containers.title')}
      aria-rowcount={items.length + 1}
      aria-multiselectable
      className="grid"
      onKeyDown={onKeyDown}
      tabIndex={-1}
    >
      <div ref={scroller} className="grid-body" role="presentation">
        <GridRow aria-rowindex={1} className="grid-head">
          <ColumnHeader>
            <Checkbox
              label={t('containers.selectAll')}
              checked={chosen > 0 && chosen === shownIds.length}
              mixed={chosen > 0 && chosen < shownIds.length}
              onChange={(checked) => (checked ? selectMany(shownIds, true) : clear())}
            />
          </ColumnHeader>
          {table.getHeaderGroups()[0]?.headers.map((header) => {
            const label = t(`containers.column.${header.column.columnDef.header as ColumnName}`);
            const direction = header.column.getIsSorted();
            return (
              <ColumnHeader
                key={header.id}
                aria-sort={sortWord(direction, header.column.getCanSort())}
                className={String(header.column.columnDef.header)}
              >
                {header.column.getCanSort() ? (
                  <button
                    type="button"
                    className="sort"
                    onClick={() => header.column.toggleSorting()}
                  >
                    {label}
                    {direction ? (
                      <Icon name={direction === 'asc' ? 'up' : 'down'} size={12} />
                    ) : null}
                  </button>
                ) : (
                  label
                )}
              </ColumnHeader>
            );
          })}
          <ColumnHeader>
            <span className="unseen">{t('containers.column.actions')}</span>
          </ColumnHeader>
        </GridRow>
        <div
          role="presentation"
          className="grid-rows"
          style={{ height: `${virtual.getTotalSize()}px` }}
        >
          {virtual.getVirtualItems().map(({ index, key, start }) => {
            const item = items[index]!;
            if (item.kind === 'stack') {
              const ids = item.rows.map((row) => row.id);
              return (
                <StackRow
                  key={key}
                  stack={item.stack}
                  rows={item.rows}
                  open={item.open}
                  top={start - headHeight}
                  rowIndex={index + 2}
                  selected={ids.filter((id) => selection[id]).length}
                  onToggle={() => setClosed((before) => toggled(before, item.stack))}
                  onSelect={(selected) => selectMany(ids, selected)}
                />
              );
            }
            return (
              <Row
                key={key}
                row={item.row}
                selected={selection[item.row.id] ?? false}
                active={item.row.id === active}
                rowIndex={index + 2}
                top={start - headHeight}
                nowMs={nowMs}
                onSelect={select}
                onFocus={setActiveId}
                onOpen={onOpen}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

type ColumnName = 'name' | 'image' | 'status' | 'cpu' | 'memory' | 'ports' | 'age';

function sortWord(direction: false | 'asc' | 'desc', sorts: boolean) {
  if (!sorts) return undefined;
  return direction === 'asc' ? 'ascending' : direction === 'desc' ? 'descending' : 'none';
}

function toggled(set: ReadonlySet<string>, value: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(value)) next.add(value);
  return next;
}
