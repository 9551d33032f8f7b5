// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a guest is and does now.
import { html, useEffect, useState } from '../html.js'
import { at, call, guestPath, send } from '../api.js'
import { ago, bytes, percent, when } from '../figures.js'
import { Facts, Spark, usePoll, useRead } from '../parts.js'
import { attempt, has, keyOf, may } from '../store.js'

const SHOT_MS = 10000, STEP_MS = 10000

const known = value => value !== null && value !== undefined
const last = list => list?.slice(-3).findLast(known)

const Card = ({ name, value, past, top }) => html`<div class="card"><small>${name}</small><b>${value}</b>
  ${past?.some(known) && html`<${Spark} values=${past} points=${past.length} top=${top}
    label="${name} of the last hour" />`}</div>`

// The last hour, gaps and all.
/** @param {{ guest: import('../types').Guest }} props */
function Figures({ guest }) {
  const { data } = usePoll(has('history') ? `${guestPath(guest)}/history` : null, STEP_MS)
  if (!data) return null
  const s = data.series
  const per = list => (known(last(list)) ? `${bytes(last(list))}/s` : '–')
  const total = last(s.memoryKiB), used = last(s.memoryUsedKiB)
  return html`<div class="cards">
    <${Card} name="CPU" value=${percent(last(s.cpuPercent))} past=${s.cpuPercent} top=${100} />
    <${Card} name="Memory" value=${`${known(used) ? `${bytes(used * 1024)} of ` : ''}${bytes(total * 1024)}`}
      past=${s.memoryUsedKiB.some(known) ? s.memoryUsedKiB : s.memoryRssKiB} top=${total} />
    <${Card} name="Disks read" value=${per(s.diskReadBytesPerSecond)} past=${s.diskReadBytesPerSecond} />
    <${Card} name="Disks write" value=${per(s.diskWriteBytesPerSecond)} past=${s.diskWriteBytesPerSecond} />
    <${Card} name="Received" value=${per(s.networkReceiveBytesPerSecond)} past=${s.networkReceiveBytesPerSecond} />
    <${Card} name="Sent" value=${per(s.networkTransmitBytesPerSecond)} past=${s.networkTransmitBytesPerSecond} /></div>`
}

// A picture every 10 s while somebody looks.
/** @param {{ guest: import('../types').Guest }} props */
function Screenshot({ guest }) {
  const [url, set] = useState(null)
  useEffect(() => {
    let last = null, here = true
    const shoot = async () => {
      if (document.hidden) return
      const path = `${guestPath(guest)}/screenshot`
      const answer = await send('GET', path, { headers: { Accept: 'image/png' } }).catch(() => null)
      if (!here || !answer) return
      const next = URL.createObjectURL(await answer.blob())
      if (last) URL.revokeObjectURL(last)
      set(last = next)
    }
    shoot()
    const timer = setInterval(shoot, SHOT_MS)
    return () => { here = false; clearInterval(timer); if (last) URL.revokeObjectURL(last) }
  }, [keyOf(guest)])
  return url && html`<a class="shot" href="#${at('guest', guest.host, guest.uuid, 'display')}"><img src=${url}
    alt="Screen of ${guest.name}" /></a>`
}

/** @param {{ guest: import('../types').Guest }} props */
function Autostart({ guest }) {
  const { data, again } = useRead(`${guestPath(guest)}/autostart`)
  if (!data) return null
  const set = async event => {
    const { checked } = event.target
    await attempt(`${guest.name} ${checked ? 'starts' : 'does not start'} with its host`,
      () => call('PUT', `${guestPath(guest)}/autostart`, { body: { autostart: checked } }))
    again()
  }
  return html`<label><input type="checkbox" checked=${data.autostart} onChange=${set}
    disabled=${!may('domain:write') || guest.stale} /> Starts with its host</label>`
}

/** @param {{ guest: import('../types').Guest }} props */
export function Overview({ guest }) {
  const on = guest.state !== 'shutoff' && !guest.stale
  const { data } = useRead(on ? `${guestPath(guest)}/addresses` : null)
  const addresses = data?.interfaces?.flatMap(nic => nic.addresses.map(one => one.address)).join(', ')
  const agent = { connected: 'connected', disconnected: 'not connected' }[guest.agent]
  return html`${on && html`<${Figures} guest=${guest} />`}
    <div class="beside"><${Facts} of=${[['Host', html`<a href="#${at('host', guest.host)}">${guest.host}</a>`],
      ['Addresses', on ? addresses || null : undefined], ['Memory', guest.memoryKiB && bytes(guest.memoryKiB * 1024)],
      ['vCPUs', guest.vcpus], ['Guest agent', on ? agent : undefined],
      ['Kept when it stops', guest.persistent ? 'yes' : 'no'],
      ['Last event', guest.lastEvent && html`<span title=${when(guest.lastEvent.time)}>${guest.lastEvent.type.replace('-', ' ')} ${ago(guest.lastEvent.time)}</span>`],
      ['UUID', guest.uuid],
      ['Autostart', guest.persistent ? html`<${Autostart} guest=${guest} />` : undefined]]} />
      ${on && html`<${Screenshot} guest=${guest} />`}</div>`
}
