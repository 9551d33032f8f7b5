// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Rates and the recent past of guests, from two samples each. What a sample does not tell keeps its
// last value: with `nowait` a guest in a call of somebody else's has gaps. A counter that falls
// is a restart.
import { state } from './store.js'

const KEPT = 60

const sum = (list, read) => {
  const values = (list ?? []).map(read).filter(Number.isFinite)
  return values.length ? values.reduce((a, b) => a + b, 0) : undefined
}

const counters = stats => ({
  cpu: stats.cpu?.time,
  read: sum(stats.block, disk => disk.rd?.bytes),
  write: sum(stats.block, disk => disk.wr?.bytes),
  received: sum(stats.net, nic => nic.rx?.bytes),
  sent: sum(stats.net, nic => nic.tx?.bytes),
})

function rate(before, now, seconds) {
  return before === undefined || now === undefined || now < before || !seconds
    ? undefined : (now - before) / seconds
}

export function note(key, stats) {
  const now = { at: performance.now(), ...counters(stats) }
  const old = state.figures.get(key)
  const seconds = old && (now.at - old.sample.at) / 1000
  const vcpus = stats.vcpu?.current ?? old?.vcpus
  const next = {
    ...old,
    vcpus,
    memoryKiB: stats.balloon?.current ?? old?.memoryKiB,
    sample: { ...old?.sample, ...JSON.parse(JSON.stringify(now)) },
  }
  for (const name of ['cpu', 'read', 'write', 'received', 'sent']) {
    const per = rate(old?.sample[name], now[name], seconds)
    if (per === undefined) continue
    next[name] = name === 'cpu' ? Math.min(100, per / 1e7 / (vcpus ?? 1)) : per
    next[`${name}Past`] = [...(old?.[`${name}Past`] ?? []), next[name]].slice(-KEPT)
  }
  state.figures.set(key, next)
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
