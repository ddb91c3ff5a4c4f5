/** The renderer's composition root: the bridge, the streams that feed the stores, and the page. */
import { CSPProvider } from '@base-ui/react/csp-provider';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { IntlProvider } from 'react-intl';
import { createShellBridge } from '../electron/contract/shell-bridge.ts';
import { App } from './app.tsx';
import { provideBridge } from './bridge/bridge.ts';
import { en } from './messages/en.ts';
import { followAddress, MachineRouter } from './shell/machine-router.tsx';
import { followEvents } from './stores/events.ts';
import { followPorts } from './stores/forward.ts';
import { onRunning } from './stores/machine.ts';
import { followMachines } from './stores/machines.ts';
import { pauseFigures } from './stores/stats.ts';
import './ui/tokens.css';
import './ui/base.css';

provideBridge(createShellBridge());

followAddress();
void followMachines(new AbortController().signal);
followWhileRunning();
document.addEventListener('visibilitychange', () => pauseFigures(document.hidden));

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <IntlProvider locale="en" messages={en}>
        <MachineRouter>
          <App />
        </MachineRouter>
      </IntlProvider>
    </CSPProvider>
  </StrictMode>,
);

/** One stream of events and one of ports, for as long as an engine runs and is looked at. */
function followWhileRunning(): void {
  let controller: AbortController | undefined;
  onRunning((running) => {
    controller?.abort();
    controller = running ? new AbortController() : undefined;
    if (controller === undefined) return;
    void followEvents(controller.signal);
    void followPorts(controller.signal);
  });
}
