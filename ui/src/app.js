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
const AT_HAND = 4 // of a phone's bar; the rest is behind More
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

function logOut() {
  setToken(null)
  location.reload()
}

function Rail({ view }) {
  const link = useStore(s => s.link)
  const guests = useStore(s => s.guests?.size)
  const hosts = useStore(s => s.hosts.size)
  const shown = PARENT[view] ?? view
  const counts = { guests, hosts, ...useStore(s => s.counts) }
  return html`<nav class="rail" aria-label="Views"><a class="brand" href="#/guests">virtgate</a>
    ${RAIL.map(([name, label], i) => html`<a key=${name} href="#/${name}" class=${i >= AT_HAND ? 'rest' : undefined}
      aria-current=${shown === name ? 'page' : undefined}>${label}
      ${counts[name] !== undefined && html`<small>${counts[name]}</small>`}</a>`)}
    <button type="button" class="more-views" popovertarget="more-views" aria-current=${
      RAIL.findIndex(([name]) => name === shown) >= AT_HAND ? 'page' : undefined}>More</button>
    <div popover id="more-views" onClick=${event => event.currentTarget.hidePopover()}>${RAIL.slice(AT_HAND).map(([name, label]) => html`<a
      key=${name} href="#/${name}">${label}</a>`)}${hasToken() && html`<button type="button" onClick=${logOut}>Log out</button>`}</div>
    <div class="foot"><span class="state ${link === 'live' ? 'good' : 'bad'}"><i aria-hidden="true">${
      link === 'live' ? '●' : '○'}</i> ${LINK[link]}</span>
    ${hasToken() && html`<button type="button" class="quiet" onClick=${logOut}>Log out</button>`}</div></nav>`
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
