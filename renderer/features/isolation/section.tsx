import { type ReactNode, useId } from 'react';
import { Icon } from '../../ui/icon.tsx';

/** One kind of isolation: its name, what it comes to in a few words, and its items. */
export function Section({
  title,
  summary,
  children,
}: {
  title: string;
  summary?: ReactNode;
  children: ReactNode;
}) {
  const id = useId();
  return (
    <section className="card isolation-section" aria-labelledby={id}>
      <div className="isolation-title">
        <h2 id={id}>{title}</h2>
        {summary ? <p className="muted">{summary}</p> : null}
      </div>
      {children}
    </section>
  );
}

/** A table of items; what each means stands in the last column. */
export function Facts({
  label,
  columns,
  widths,
  children,
}: {
  label: string;
  columns: string[];
  /** Of each column, as CSS has it; the last one takes what is left. */
  widths: string[];
  children: ReactNode;
}) {
  return (
    <table className="isolation-table" aria-label={label}>
      <colgroup>
        {columns.map((column, index) => (
          <col key={column} style={{ width: widths[index] }} />
        ))}
      </colgroup>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

/** What most people need not see, a click away. */
export function More({ label, children }: { label: string; children: ReactNode }) {
  return (
    <details className="isolation-more">
      <summary>
        <Icon name="right" size={12} />
        {label}
      </summary>
      {children}
    </details>
  );
}

/** A word with a sign before it: held back, open by default, or open beyond it. */
export function Verdict({
  kind,
  children,
}: {
  kind: 'apart' | 'usual' | 'open';
  children: ReactNode;
}) {
  return (
    <span className={`verdict ${kind}`}>
      <Icon name={kind === 'apart' ? 'check' : 'eye'} size={12} />
      {children}
    </span>
  );
}
