import { ContextMenu as BaseContext } from '@base-ui/react/context-menu';
import { Menu as Base } from '@base-ui/react/menu';
import { Fragment, type ReactElement } from 'react';
import { Icon, type IconName } from './icon.tsx';
import './menu.css';

export interface MenuEntry {
  id: string;
  label: string;
  icon?: IconName;
  shortcut?: string;
  danger?: boolean;
  disabled?: boolean;
  /** A line above this entry. */
  separated?: boolean;
  run: () => void;
}

export function Menu({ trigger, entries }: { trigger: ReactElement; entries: MenuEntry[] }) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner className="menu-layer" sideOffset={4} align="end">
          <Base.Popup className="menu">
            <Entries entries={entries} />
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

/** The same entries under a right click, the context-menu key or a long press. */
export function ContextMenu({
  children,
  entries,
}: {
  children: ReactElement;
  entries: MenuEntry[];
}) {
  return (
    <BaseContext.Root>
      <BaseContext.Trigger render={children} />
      <BaseContext.Portal>
        <BaseContext.Positioner className="menu-layer">
          <BaseContext.Popup className="menu">
            <Entries entries={entries} />
          </BaseContext.Popup>
        </BaseContext.Positioner>
      </BaseContext.Portal>
    </BaseContext.Root>
  );
}

function Entries({ entries }: { entries: MenuEntry[] }) {
  return entries.map((entry) => (
    <Fragment key={entry.id}>
      {entry.separated ? <Base.Separator className="menu-line" /> : null}
      <Base.Item
        className={entry.danger ? 'menu-item danger' : 'menu-item'}
        disabled={entry.disabled}
        onClick={entry.run}
      >
        {entry.icon ? <Icon name={entry.icon} /> : null}
        {entry.label}
        {entry.shortcut ? <kbd>{entry.shortcut}</kbd> : null}
      </Base.Item>
    </Fragment>
  ));
}
