import { type RefObject, useEffect, useMemo, useRef, useState } from 'react';
import { Link } from 'wouter';
import { formatBytes, visibleText } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import type { Owner } from '../../stores/processes.ts';
import { cpuText, figuresOf, limitOf, percent, shareOf } from './figures.ts';
import { type Arrangement, arrange, type Measure, type OwnerBox, type Tile } from './picture.ts';
import type { Box } from './treemap.ts';

/** The processes are drawn; what screen readers say of them is in the boxes' names and the table. */
export function Picture({
  owners,
  measure,
  arrangement,
}: {
  owners: Owner[];
  measure: Measure;
  arrangement: Arrangement;
}) {
  const t = useText();
  const frame = useRef<HTMLElement>(null);
  const { width, height } = useSize(frame);
  const { boxes, tiles } = useMemo(
    () => arrange(owners, measure, arrangement, width, height),
    [owners, measure, arrangement, width, height],
  );
  const count = owners.reduce((sum, { processCount }) => sum + processCount, 0);
  return (
    <section
      ref={frame}
      className={`map ${arrangement}`}
      aria-label={t('userspace.mapOf', { count })}
    >
      <ul>
        {boxes.map((box) => (
          <li key={box.owner.key}>
            <OwnerView {...box} owners={owners} measure={measure} />
          </li>
        ))}
      </ul>
      <div aria-hidden="true">
        {tiles.map((tile) => (
          <TileView key={tile.key} tile={tile} measure={measure} />
        ))}
      </div>
    </section>
  );
}

function OwnerView({
  owner,
  box,
  owners,
  measure,
}: OwnerBox & { owners: Owner[]; measure: Measure }) {
  const t = useText();
  const name = owner.container?.name ?? t('userspace.machine');
  const share = percent(shareOf(owner, owners, measure));
  const figures = figuresOf(owner, t).join(' · ');
  const limit = limitOf(owner, measure);
  const inner = (
    <>
      <span className="owner-name">
        <strong className="truncate">{name}</strong>
        <span>{share}</span>
      </span>
      <span className="owner-figures">{figures}</span>
      {limit === undefined ? null : (
        <span className="owner-gauge" aria-hidden="true">
          <span style={{ width: `${Math.min(100, (owner[measure] / limit) * 100)}%` }} />
        </span>
      )}
    </>
  );
  if (!owner.container)
    return (
      <div className="owner machine-own" style={styleOf(box)}>
        {inner}
      </div>
    );
  return (
    <Link
      href={`/containers/${owner.container.id.slice(0, 12)}`}
      className="owner"
      style={styleOf(box)}
    >
      {inner}
    </Link>
  );
}

/** Names are written where there is room for one. */
const roomForName = { width: 44, height: 18 };

function TileView({ tile, measure }: { tile: Tile; measure: Measure }) {
  const t = useText();
  const { process, box, count, ofContainer } = tile;
  const name = process ? visibleText(process.name) : t('userspace.others', { count });
  const hasFreeSpace = box.width >= roomForName.width && box.height >= roomForName.height;
  const use = process
    ? measure === 'cpus'
      ? t('userspace.cpus', { cpus: cpuText(process.cpus) })
      : formatBytes(process.memoryBytes)
    : '';
  return (
    <div
      className={ofContainer ? 'tile inside' : 'tile'}
      style={styleOf(box)}
      title={process ? `${name} (${process.pid}) ${use}` : name}
    >
      {hasFreeSpace ? name : null}
    </div>
  );
}

function styleOf({ x, y, width, height }: Box) {
  return { transform: `translate(${x}px, ${y}px)`, width, height };
}

function useSize(element: RefObject<HTMLElement | null>): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    if (element.current) observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return size;
}
