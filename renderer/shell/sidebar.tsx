import { Link, useLocation } from 'wouter';
import type { MessageKey } from '../messages/en.ts';
import { useText } from '../messages/use-text.ts';
import { Icon, type IconName } from '../ui/icon.tsx';
import { MachineSwitch } from './machine-switch.tsx';
import './shell.css';

const places: { path: string; icon: IconName; words: MessageKey }[] = [
  { path: '/', icon: 'container', words: 'containers.title' },
  { path: '/images', icon: 'image', words: 'images.title' },
  { path: '/volumes', icon: 'volume', words: 'volumes.title' },
  { path: '/activity', icon: 'activity', words: 'activity.title' },
  { path: '/machine', icon: 'machine', words: 'machine.title' },
];

export function Sidebar({
  onPalette,
  onAdd,
  onSkip,
}: {
  onPalette: () => void;
  onAdd: () => void;
  onSkip: () => void;
}) {
  const t = useText();
  const [location] = useLocation();
  return (
    <nav className="sidebar" aria-label={t('shell.places')}>
      {/* A button: the address is the route, and a fragment link would change it. */}
      <button type="button" className="button skip" onClick={onSkip}>
        {t('shell.skip')}
      </button>
      <p className="brand">
        <span className="brand-mark" aria-hidden="true" />
        Corten
      </p>
      <button type="button" className="palette-button" onClick={onPalette}>
        <Icon name="search" size={14} />
        {t('palette.open')}
        <kbd>{t('palette.key')}</kbd>
      </button>
      <ul>
        {places.map(({ path, icon, words }) => (
          <li key={path}>
            <Link href={path} aria-current={isHere(location, path) ? 'page' : undefined}>
              <Icon name={icon} />
              {t(words)}
            </Link>
          </li>
        ))}
      </ul>
      <span className="spacer" />
      <MachineSwitch onAdd={onAdd} />
    </nav>
  );
}

/** A container and the form for a new one belong to Containers. */
function isHere(location: string, path: string): boolean {
  if (path !== '/') return location.startsWith(path);
  return location === '/' || location.startsWith('/containers') || location.startsWith('/new');
}
