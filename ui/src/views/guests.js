// SPDX-License-Identifier: LGPL-2.1-or-later
//
// All guests of all hosts. Rows have one height: of 2,000 only those in sight are there.
import { html, useEffect, useMemo, useRef, useState } from '../html.js'
import { at } from '../api.js'
import { actOnAll, actsOf, menuOf } from '../acts.js'
import { ago, bytes, percent, wantPast, when } from '../figures.js'
import { Act, Away, Choice, Empty, Loading, Menu, Spark, State, Title } from '../parts.js'
import { keyOf, useStore } from '../store.js'

const ROW = 36, SPARE = 10
const STATES = ['running', 'paused', 'shutoff', 'crashed']

const collator = new Intl.Collator(undefined, { numeric: true })
const ORDERS = {
  name: (a, b) => collator.compare(a.name, b.name),
  state: (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || ORDERS.name(a, b),
  host: (a, b) => collator.compare(a.host, b.host) || ORDERS.name(a, b),
}

function choose(guests, { text, state, host, order }) {
  const wanted = text.toLowerCase()
  return [...guests.values()].filter(guest =>
    (!wanted || guest.name.toLowerCase().includes(wanted) || guest.title?.toLowerCase().includes(wanted) ||
      guest.uuid.startsWith(wanted) || guest.addresses?.some(one => one.address.includes(wanted))) &&
    (!state || guest.state === state) && (!host || guest.host === host)).sort(ORDERS[order])
}

// The first, and how many more; those of this link only last.
function Addresses({ all = [] }) {
  const sorted = [...all].sort((a, b) => Number(/^fe80/i.test(a.address)) - Number(/^fe80/i.test(b.address)))
  return sorted.length > 0 && html`<span title=${sorted.map(one => one.address).join(', ')}>${sorted[0].address}${
    sorted.length > 1 && html` <small>+${sorted.length - 1}</small>`}</span>`
}

/** @param {{ guest: import('../types').Guest, index?: any, chosen?: any, pick?: any, hosts?: number }} props */
function Row({ guest, index, chosen, pick, hosts }) {
  const figures = useStore(s => s.figures.get(keyOf(guest)))
  const on = guest.state !== 'shutoff'
  const [likely, others] = menuOf(guest)
  useEffect(() => (on ? wantPast(guest) : undefined), [keyOf(guest), on])
  return html`<tr aria-rowindex=${index + 2} class=${guest.stale ? 'stale' : ''}>
    <td class="tick"><input type="checkbox" checked=${chosen} aria-label="Select ${guest.name}"
      onChange=${() => pick(keyOf(guest))} /></td>
    <td class="name"><a href="#${at('guest', guest.host, guest.uuid)}" title=${guest.name}>${guest.name}</a>
      ${guest.title && html`<small>${guest.title}</small>`}</td>
    <td><${State} is=${guest.state} /></td>
    ${hosts > 1 && html`<td class="wide muted">${guest.host}</td>`}
    <td class="wide">${on && html`<${Addresses} all=${guest.addresses} />`}</td>
    <td class="wide muted last">${guest.lastEvent && html`<span title=${when(guest.lastEvent.time)}>${
      guest.lastEvent.type.replace('-', ' ')} ${ago(guest.lastEvent.time)}</span>`}</td>
    <td class="wide cpu">${on && figures?.cpuPast && html`<${Spark} values=${figures.cpuPast} top=${100}
      label="CPU ${percent(figures.cpu)}" /><span>${percent(figures.cpu)}</span>`}</td>
    <td class="wide number">${on && figures?.memoryKiB ? bytes(figures.memoryKiB * 1024) : ''}</td>
    <td class="wide number vcpus">${on ? figures?.vcpus ?? guest.vcpus : ''}</td>
    <td class="acts">${likely && html`<${Act} needs=${likely.needs} disabled=${likely.off} onClick=${likely.run}
        aria-label="${likely.label} ${guest.name}">${likely.label}<//>`}
      ${others.length > 0 && html`<${Menu} label="More for ${guest.name}" items=${others} />`}</td></tr>`
}

function useWindow(count) {
  const box = useRef()
  const [[first, last], set] = useState([0, 40])
  const look = () => {
    const { scrollTop, clientHeight } = box.current
    const from = Math.max(0, Math.floor(scrollTop / ROW) - SPARE)
    set(old => (old[0] === from && old[1] >= from + clientHeight / ROW ? old
      : [from, from + Math.ceil(clientHeight / ROW) + 2 * SPARE]))
  }
  useEffect(() => {
    const sized = new ResizeObserver(look)
    sized.observe(box.current)
    return () => sized.disconnect()
  }, [])
  return { box, look, first: Math.min(first, Math.max(0, count - 1)), last: Math.min(last, count) }
}

function List({ rows, chosen, pick, pickAll, hosts }) {
  const { box, look, first, last } = useWindow(rows.length)
  const space = n => n > 0 && html`<tr aria-hidden="true" class="space" style=${{ height: `${n * ROW}px` }}>
    <td colspan=${hosts > 1 ? 10 : 9}></td></tr>`
  const every = rows.length > 0 && rows.every(guest => chosen.has(keyOf(guest)))
  return html`<div class="scroll tall" ref=${box} onScroll=${look} tabindex="0" role="region"
    aria-label="Guests"><table class="guests" aria-rowcount=${rows.length + 1}><thead><tr>
      <th class="tick"><input type="checkbox" aria-label="Select all" checked=${every} onChange=${pickAll} /></th>
      <th scope="col">Name</th><th scope="col" class="is">State</th>${hosts > 1 && html`<th scope="col" class="wide host">Host</th>`}
      <th scope="col" class="wide address">Address</th>
      <th scope="col" class="wide last">Last event</th><th scope="col" class="wide cpu">CPU</th><th scope="col" class="wide number memory">Memory</th>
      <th scope="col" class="wide number vcpus">vCPUs</th><th scope="col" class="acts"><span class="hidden">Acts</span></th>
    </tr></thead><tbody>${space(first)}${rows.slice(first, last).map((guest, i) => html`<${Row}
      key=${keyOf(guest)} guest=${guest} index=${first + i} chosen=${chosen.has(keyOf(guest))}
      pick=${pick} hosts=${hosts} />`)}${space(rows.length - last)}</tbody></table></div>`
}

// What can be done with all that are selected, without a question.
function Bulk({ rows, chosen, clear }) {
  const guests = rows.filter(guest => chosen.has(keyOf(guest)))
  if (!guests.length) return null
  const able = path => guests.filter(guest => actsOf(guest).some(one => one.path === path && !one.off))
  return html`<div class="bulk" role="group" aria-label="Selected guests"><b>${guests.length} selected</b>
    ${['start', 'shutdown', 'resume'].map(path => {
      const some = able(path), what = some[0] && actsOf(some[0]).find(one => one.path === path)
      return what && html`<${Act} key=${path} needs=${what.needs} onClick=${() => {
        actOnAll(some, path)
        clear()
      }}>${what.label} ${some.length}<//>`
    })}<button type="button" class="quiet" onClick=${clear}>Clear</button></div>`
}

function useSlash() {
  const field = useRef()
  useEffect(() => {
    const listen = event => {
      if (event.key !== '/' || /INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) return
      event.preventDefault()
      field.current?.focus()
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [])
  return field
}

export function Guests() {
  const guests = useStore(s => s.guests)
  const hosts = useStore(s => s.hosts)
  const away = useStore(s => s.away)
  const slow = useStore(s => s.slow)
  const [filter, setFilter] = useState({ text: '', state: '', host: '', order: 'name' })
  const [chosen, setChosen] = useState(new Set())
  const field = useSlash()
  const rows = useMemo(() => (guests ? choose(guests, filter) : []), [guests, filter])
  const set = name => value => setFilter({ ...filter, [name]: value })
  const pick = key => setChosen(old => {
    const next = new Set(old)
    if (!next.delete(key)) next.add(key)
    return next
  })
  const pickAll = event => setChosen(new Set(event.target.checked ? rows.map(keyOf) : []))
  return html`<${Title} text="Guests"><a class="button main" href="#/create">Create</a><//>
    <div class="tools"><input type="search" ref=${field} placeholder="Filter  /" aria-label="Filter guests"
        value=${filter.text} onInput=${event => set('text')(event.target.value)} />
      <${Choice} label="State" value=${filter.state} set=${set('state')}
        options=${[['', 'Any state'], ...STATES.map(one => [one, one === 'shutoff' ? 'off' : one])]} />
      ${hosts.size > 1 && html`<${Choice} label="Host" value=${filter.host} set=${set('host')}
        options=${[['', 'Any host'], ...[...hosts.keys()].map(one => [one, one])]} />`}
      <${Choice} label="Order" value=${filter.order} set=${set('order')}
        options=${[['name', 'By name'], ['state', 'By state'], ['host', 'By host']]} />
      <span class="muted">${guests && `${rows.length} of ${guests.size}`}</span></div>
    <${Away} unreachable=${[...away.values()]}>; its guests are shown as last seen<//>
    ${[...slow].map(one => html`<p key=${one} class="away" role="status"><b>${one}</b> answers slowly.</p>`)}
    <${Bulk} rows=${rows} chosen=${chosen} clear=${() => setChosen(new Set())} />
    ${!guests ? html`<${Loading} what="guests" />`
      : !guests.size ? html`<${Empty}><p>No guests yet</p><a class="button main" href="#/create">Create</a><//>`
      : !rows.length ? html`<${Empty}><p>No guest matches</p><button type="button" onClick=${() =>
          setFilter({ text: '', state: '', host: '', order: filter.order })}>Show all ${guests.size}</button><//>`
      : html`<${List} rows=${rows} chosen=${chosen} pick=${pick} pickAll=${pickAll} hosts=${hosts.size} />`}`
}
