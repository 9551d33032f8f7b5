// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What guests do, as the gateway worked it out: a point each ten seconds. The newest comes with the
// poll, what was before from a guest's history, when its row is first in sight. A figure that is not
// told keeps its last value; in the past it is a gap, null.
import { get, guestPath } from './api.js'
import { change, has, keyOf, state } from './store.js'

const KEPT = 60, STEP_MS = 10000, AT_ONCE = 4

// The past with a point of that time: another value of the last one, or a new one after a gap.
function follow(past = [], then, time, value) {
  const steps = then ? Math.round((Date.parse(time) - Date.parse(then)) / STEP_MS) : 1
  if (steps <= 0) return [...past.slice(0, -1), value]
  return [...past, ...Array(Math.min(steps, KEPT) - 1).fill(null), value].slice(-KEPT)
}

/** @param {import('./types').Answer<'GET', '/hosts/-/domain-stats'>['domains'][number]} one */
export function note(key, one) {
  const { rates } = one, stats = /** @type {any} */ (one.stats)
  const old = state.figures.get(key)
  const next = {
    ...old,
    vcpus: stats.vcpu?.current ?? old?.vcpus,
    memoryKiB: stats.balloon?.current ?? old?.memoryKiB,
  }
  if (rates) {
    next.cpu = rates.cpuPercent ?? old?.cpu
    next.cpuPast = follow(old?.cpuPast, old?.time, rates.time, rates.cpuPercent ?? null)
    next.time = rates.time
  }
  state.figures.set(key, next)
}

/* ---- the past of those in sight, a few at a time ---- */

const asked = new Set(), waiting = new Map()
let busy = 0

/** @param {import('./types').Answer<'GET', `/domains/${string}/history`>} history */
function recall(key, history) {
  const { startTime, points, series } = history
  const time = new Date(Date.parse(startTime) + (points - 1) * STEP_MS).toISOString()
  const old = state.figures.get(key)
  const past = series.cpuPercent
  state.figures.set(key, { ...old, time, cpuPast: past, cpu: past.at(-1) ?? old?.cpu })
  change({ figures: new Map(state.figures) })
}

async function readNext() {
  if (busy >= AT_ONCE || !waiting.size) return
  const [key, guest] = waiting.entries().next().value
  waiting.delete(key)
  asked.add(key)
  busy++
  await get(`${guestPath(guest)}/history?seconds=${KEPT * STEP_MS / 1000}&fields=cpuPercent`)
    .then(history => recall(key, history), () => {}) // the poll goes on without it
  busy--
  readNext()
}

// For an effect: whoever is out of sight before its turn is not asked.
export function wantPast(guest) {
  const key = keyOf(guest)
  if (!has('history') || asked.has(key)) return undefined
  waiting.set(key, guest)
  readNext()
  return () => waiting.delete(key)
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

export function bytes(n) {
  if (!Number.isFinite(n)) return '–'
  let unit = 0
  for (; n >= 1024 && unit < UNITS.length - 1; unit++) n /= 1024
  return `${n >= 100 || Number.isInteger(n) ? Math.round(n) : n.toFixed(1)} ${UNITS[unit]}`
}

export const percent = n => (Number.isFinite(n) ? `${n.toFixed(n < 10 ? 1 : 0)} %` : '–')
export const when = time => new Date(time).toLocaleString(undefined,
  { dateStyle: 'short', timeStyle: 'medium' })

// How long ago, in one unit.
export function ago(time) {
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000)
  const [size, unit] = seconds < 60 ? [1, 's'] : seconds < 3600 ? [60, 'min'] : seconds < 86400 ? [3600, 'h'] : [86400, 'd']
  return `${Math.floor(seconds / size)} ${unit} ago`
}
