/**
 * Parts of a virtual grid. They are divs with roles, because rows that a virtualiser places by
 * transform cannot be a table's (ARIA Authoring Practices, "Grid"); the row, or a control in a cell,
 * takes the focus, never the cell itself.
 */
import type { ComponentProps } from 'react';

export function GridRow(props: ComponentProps<'div'>) {
  // biome-ignore lint/a11y/useSemanticElements: see above.
  return <div role="row" tabIndex={-1} {...props} />;
}

export function GridCell({ className = '', ...rest }: ComponentProps<'div'>) {
  // biome-ignore lint/a11y: see above.
  return <div role="gridcell" className={`cell ${className}`} {...rest} />;
}

export function ColumnHeader({ className = '', ...rest }: ComponentProps<'div'>) {
  // biome-ignore lint/a11y: see above.
  return <div role="columnheader" className={`cell ${className}`} {...rest} />;
}
