// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The console: the frame, and which view is in it. An address is a hash: #/guest/HOST/UUID/console.
import './style.css'
import { html, render, useEffect, useState } from './html.js'
import { hasToken, setToken } from './api.js'
import { Question, Toasts } from './parts.js'
import { useStore } from './store.js'
import { begin, pollFigures } from './watch.js'
import { Create } from './views/create.js'
import { Events } from './views/events.js'
import { Guest } from './views/guest.js'
import { Guests } from './views/guests.js'
import { Host, Hosts } from './views/hosts.js'
import { Login } from './views/login.js'
import { Network, Networks } from './views/networks.js'
import { Operations } from './views/operations.js'
import { Pool, Pools } from './views/storage.js'

const VIEWS = { guests: Guests, guest: Guest, create: Create, networks: Networks, network: Network,
                storage: Pools, pool: Pool, operations: Operations, events: Events, hosts: Hosts,
                host: Host }
const RAIL = [['guests', 'Guests'], ['networks', 'Networks'], ['storage', 'Storage'],
              ['operations', 'Operations'], ['events', 'Events'], ['hosts', 'Hosts']]
const PARENT = { guest: 'guests', create: 'guests', network: 'networks', pool: 'storage', host: 'hosts' }
const LINK = { connecting: 'connecting', live: 'live', reconnecting: 'reconnecting', down: 'down' }

const readHash = () => location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)

function useRoute() {
  const [route, set] = useState(readHash)
  useEffect(() => {
    const listen = () => set(readHash())
    addEventListener('hashchange', listen)
    return () => removeEventListener('hashchange', listen)
  }, [])
  return route
}

function Rail({ view }) {
  const link = useStore(s => s.link)
  const guests = useStore(s => s.guests?.size)
  const hosts = useStore(s => s.hosts.size)
  const counts = { guests, hosts }
  return html`<nav class="rail" aria-label="Views"><a class="brand" href="#/guests">virtgate</a>
    ${RAIL.map(([name, label]) => html`<a key=${name} href="#/${name}"
      aria-current=${(PARENT[view] ?? view) === name ? 'page' : undefined}>${label}
      ${counts[name] !== undefined && html`<small>${counts[name]}</small>`}</a>`)}
    <div class="foot"><span class="state ${link === 'live' ? 'good' : 'bad'}"><i aria-hidden="true">${
      link === 'live' ? '●' : '○'}</i> ${LINK[link]}</span>
    ${hasToken() && html`<button type="button" class="quiet" onClick=${() => {
      setToken(null)
      location.reload()
    }}>Log out</button>`}</div></nav>`
}

function Lost() {
  const link = useStore(s => s.link)
  return (link === 'reconnecting' || link === 'down') && html`<p class="away" role="status">Connection
    to the gateway lost: what you see may be old. Trying again…</p>`
}

function App() {
  const route = useRoute()
  const login = useStore(s => s.login)
  if (login !== null) return html`<${Login} why=${login} />`
  const [name, ...rest] = route
  const view = VIEWS[name] ? name : 'guests'
  return html`<${Rail} view=${view} /><main><${Lost} />
    <${VIEWS[view]} key=${[view, ...rest.slice(0, 2)].join('/')} path=${rest} /></main>
    <${Toasts} /><${Question} />`
}

const place = document.getElementById('app')
place.replaceChildren()
render(html`<${App} />`, place)
begin().catch(() => {})
pollFigures()
