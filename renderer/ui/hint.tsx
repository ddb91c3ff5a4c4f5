import { Tooltip } from '@base-ui/react/tooltip';
import type { ReactElement } from 'react';
import './hint.css';

/** A tooltip over one control; the control itself carries the name for screen readers. */
export function Hint({
  label,
  shortcut,
  children,
}: {
  label: string;
  shortcut?: string;
  children: ReactElement;
}) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger render={children} />
      <Tooltip.Portal>
        <Tooltip.Positioner sideOffset={6} className="hint-layer">
          <Tooltip.Popup className="hint">
            {label}
            {shortcut ? <kbd>{shortcut}</kbd> : null}
          </Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
