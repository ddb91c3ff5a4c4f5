import './pull-progress.css';

interface Layer {
  id: string;
  status: string;
  currentBytes: number;
  totalBytes: number;
  done: boolean;
}

/** One line for each layer of a pull. */
export function PullProgress({ layers }: { layers: readonly Layer[] }) {
  return (
    <ul className="layers">
      {layers.map((layer) => {
        const percent = layer.done
          ? 100
          : layer.totalBytes > 0
            ? Math.round((layer.currentBytes / layer.totalBytes) * 100)
            : 0;
        return (
          <li key={layer.id}>
            <code>{layer.id}</code>
            <progress max={100} value={percent} aria-label={layer.id} />
            <span className="muted truncate">{layer.status}</span>
          </li>
        );
      })}
    </ul>
  );
}
