// SPDX-License-Identifier: LGPL-2.1-or-later
//
// List, then watch, once for the page (docs/events.md): guests and hosts live by events, their
// figures by one poll.
import { call, get, guestPath, send, socketUrl } from './api.js'
import { change, keyOf, state } from './store.js'
import { note } from './figures.js'

// What a row shows that the gateway tells at once.
const FIELDS = 'id,name,uuid,state,stateReason,active,persistent,title,addresses,lastEvent'
// Not QEMU's monitor: what it says, a domain's events say, too.
const OBJECTS = 'domain,network,storage-pool,secret,node-device,connection,operation'
const SETTLE_MS = 50, READ_SOME = 256, PAST = 50, AGAIN_MS = 1000, POLL_MS = 4000, POLLS_AN_ADDRESS = 4, EVENTS_KEPT = 300

let revision = null, socket = null, running = false
const dirty = new Map()

const byHost = list => new Map(list.map(host => [host.host, host]))

/* ---- list ---- */

// Guests of a host that cannot be reached stay as they were last seen.
function merge(domains, unreachable) {
  const away = new Map(unreachable.map(one => [one.host, one]))
  const guests = new Map()
  for (const guest of domains) {
    guests.set(keyOf(guest), { ...state.guests?.get(keyOf(guest)), ...guest, stale: false })
  }
  for (const [key, guest] of state.guests ?? []) {
    if (away.has(guest.host) && !guests.has(key)) guests.set(key, { ...guest, stale: true })
  }
  change({ guests, away })
}

async function list() {
  const [{ hosts }, answer] = await Promise.all([
    get('/hosts'), send('GET', `/hosts/-/domains?fields=${FIELDS}`)])
  revision = answer.headers.get('X-Virtgate-Revision')
  const { domains, unreachable } = await answer.json()
  change({ hosts: byHost(hosts) })
  merge(domains, unreachable)
}

// What the rail says of the others.
async function count() {
  const [{ networks }, { storagePools }] = await Promise.all([
    get('/hosts/-/networks'), get('/hosts/-/storage-pools')])
  change({ counts: { networks: networks.length, storage: storagePools.length } })
}

// What was before the page was opened.
async function readPast() {
  const { events } = await get(`/hosts/-/events?last=${PAST}&wait=0&object=${OBJECTS}`)
  change({ events: events.reverse() })
}

/* ---- watch ---- */

async function readGuest({ host, uuid }) {
  const guests = new Map(state.guests)
  const key = keyOf({ host, uuid })
  try {
    const guest = await get(guestPath({ host, uuid }))
    guests.set(key, { ...guests.get(key), ...guest, host, stale: false })
  } catch (problem) {
    if (problem.status !== 404) return
    guests.delete(key)
  }
  // another one may have been read meanwhile
  const merged = new Map(state.guests)
  if (guests.has(key)) merged.set(key, guests.get(key))
  else merged.delete(key)
  change({ guests: merged })
}

// A burst is one request; who is not in its answer is gone, unless its host cannot be asked.
async function readSome(some) {
  const uuids = [...new Set(some.map(one => one.uuid))].join(',')
  const { domains, unreachable } = await get(`/hosts/-/domains?uuid=${uuids}&fields=${FIELDS}`)
  const away = new Set(unreachable.map(one => one.host))
  const guests = new Map(state.guests)
  const found = new Map(domains.map(guest => [keyOf(guest), guest]))
  for (const one of some) {
    const key = keyOf(one), guest = found.get(key)
    if (guest) guests.set(key, { ...guests.get(key), ...guest, stale: false })
    else if (!away.has(one.host)) guests.delete(key)
  }
  change({ guests })
}

async function settle() {
  const some = [...dirty.values()]
  dirty.clear()
  await (some.length === 1 ? readGuest(some[0])
    : some.length > READ_SOME ? list() : readSome(some)).catch(() => {})
}

// Only what is drawn again is made anew.
function noteWork({ event, operation }) {
  const { turn, progress } = state.work
  if (event !== 'progress') progress.delete(operation.id)
  else progress.set(operation.id, operation.progress)
  change({ work: { turn: event === 'progress' ? turn : turn + 1, progress } })
}

function noteLast({ host, domain, event, type, time }) {
  const key = keyOf({ host, uuid: domain.uuid }), guest = state.guests?.get(key)
  if (!guest) return
  const guests = new Map(state.guests)
  guests.set(key, { ...guest, lastEvent: { type: type ?? event, time } })
  change({ guests })
}

function take(event) {
  if (event.id) revision = event.id
  change({ events: [event, ...state.events].slice(0, EVENTS_KEPT) })
  if (event.event === 'reset' || event.type === 'reset' || event.object === 'connection') {
    list().catch(() => {})
  } else if (event.object === 'operation') {
    noteWork(event)
  } else if (event.object === 'network' || event.object === 'storage-pool') {
    count().catch(() => {})
  } else if (event.object === 'domain') {
    noteLast(event)
    if (!dirty.size) setTimeout(settle, SETTLE_MS)
    dirty.set(keyOf({ host: event.host, uuid: event.domain.uuid }),
      { host: event.host, uuid: event.domain.uuid })
  }
}

// Until the socket ends: whether it was open.
async function listen() {
  const query = { object: OBJECTS, ...(revision && { since: revision }) }
  socket = new WebSocket(await socketUrl('/hosts/-/events', query))
  let opened = false
  socket.onopen = () => { opened = true; change({ link: 'live' }) }
  socket.onmessage = message => take(JSON.parse(message.data))
  const { code } = await new Promise(done => { socket.onclose = done })
  if (code === 4401) change({ login: '' })
  return opened && code < 4400
}

const pause = ms => new Promise(done => setTimeout(done, ms))

// For ever: a socket that was open goes on from the last event; one that was refused lists again.
export async function watch() {
  if (running) return
  running = true
  for (let listed = false; !state.login;) {
    try {
      if (!listed) await list()
      if (!state.events.length) await readPast()
      count().catch(() => {})
      listed = await listen()
    } catch (problem) {
      listed = false
      if (problem.status === 401) change({ login: '' })
    }
    if (state.link === 'live') change({ link: 'reconnecting' })
    else if (!listed) change({ link: 'down' })
    await pause(AGAIN_MS)
  }
  running = false
}

/* ---- figures ---- */

const missed = new Map()

// Rates are the gateway's own, from memory; the rest costs one call a host.
const FIGURES = '/hosts/-/domain-stats?state=active&nowait=true&groups=balloon,vcpu'

async function poll() {
  const up = [...state.hosts.values()].filter(host => host.state === 'up').map(one => one.host)
  let silent = up
  try {
    const { domains, unreachable } = await get(FIGURES)
    domains.forEach(one => note(keyOf(one), one))
    silent = unreachable.map(one => one.host)
  } catch (problem) {
    if (problem.status === 0 && socket) socket.close() // it may have died in its sleep
  }
  for (const host of up) missed.set(host, silent.includes(host) ? (missed.get(host) ?? 0) + 1 : 0)
  change({ figures: new Map(state.figures), slow: new Set(up.filter(one => missed.get(one) > 1)) })
}

// No event tells of a lease.
async function readAddresses() {
  const { domains } = await get('/hosts/-/domains?state=active&fields=uuid,addresses')
  const guests = new Map(state.guests)
  for (const { host, uuid, addresses } of domains) {
    const key = keyOf({ host, uuid }), guest = guests.get(key)
    if (guest && JSON.stringify(guest.addresses) !== JSON.stringify(addresses)) guests.set(key, { ...guest, addresses })
  }
  change({ guests })
}

export async function pollFigures() {
  for (let turn = 1; ; turn++) {
    if (!document.hidden && !state.login && state.guests) {
      await poll()
      if (turn % POLLS_AN_ADDRESS === 0) await readAddresses().catch(() => {})
    }
    await pause(POLL_MS)
  }
}

// What this gateway has and this token may.
export async function begin() {
  const { features, version } = await call('GET', '/')
  change({ features, version })
  await get('/whoami').then(who => change({ who }), () => {})
  watch()
}
