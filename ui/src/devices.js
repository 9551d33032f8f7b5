// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is done with a guest's devices: to the running guest and to its definition, where it has both.
import { Problem, at, call, get, guestPath, send } from './api.js'

/** @returns {('live' | 'config')[]} */
export const impactsOf = guest => (guest.state === 'shutoff' ? ['config'] : guest.persistent ? ['live', 'config'] : ['live'])

const devicesOf = guest => `${guestPath(guest)}/devices`

// A running guest and its definition may describe the same device differently: each is told its own description.
async function forEach(guest, is, work) {
  const answers = []
  for (const impact of impactsOf(guest)) {
    const { devices } = await get(`${guestPath(guest)}/devices${impact === 'config' ? '?flags=inactive' : ''}`)
    const device = devices.find(is)
    if (device) answers.push(await work(device.xml, impact))
  }
  if (!answers.length) throw new Problem(404, { title: `${guest.name} has no such device any more` })
  return answers
}

export const isDisk = target => one => one.type === 'disk' && one.target === target
export const isNic = mac => one => one.type === 'interface' && one.mac === mac

// Whether the guest was asked to let go of it, and has not yet.
export async function detach(guest, is) {
  const answers = await forEach(guest, is, (xml, impact) => send('POST', `${devicesOf(guest)}/detach`,
    { body: { xml, flags: [impact] } }))
  return answers.some(one => one.status === 202)
}

function withLink(xml, up) {
  const whole = new DOMParser().parseFromString(xml, 'application/xml'), nic = whole.documentElement
  const link = nic.querySelector(':scope > link') ?? nic.appendChild(whole.createElement('link'))
  link.setAttribute('state', up ? 'up' : 'down')
  return new XMLSerializer().serializeToString(nic)
}

export const setLink = (guest, mac, up) => forEach(guest, isNic(mac), (xml, impact) => send('PUT', devicesOf(guest),
  { body: { xml: withLink(xml, up), flags: [impact] } }))

const quoted = text => text.replace(/[&<>"]/g, one => `&#${one.charCodeAt(0)};`)
const attach = (guest, xml) => call('POST', `${guestPath(guest)}/devices`, { body: { xml, flags: impactsOf(guest) } })

const PREFIX = { virtio: 'vd', scsi: 'sd', sata: 'sd', usb: 'sd' }
export const BUSES = Object.keys(PREFIX)
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz']

// The first name that no disk has.
export function freeTarget(bus, disks) {
  const taken = new Set(disks.map(one => one.target))
  return ['', ...LETTERS].flatMap(first => LETTERS.map(last => `${PREFIX[bus]}${first}${last}`)).find(one => !taken.has(one))
}

/** @param {string} chosen POOL/VOLUME */
export async function attachVolume(guest, chosen, bus, target) {
  const [pool, ...rest] = chosen.split('/'), volume = rest.join('/')
  const { format } = await get(at('hosts', guest.host, 'storage-pools', pool, 'volumes', volume))
  const image = format && !['iso', 'none', 'unknown'].includes(format) ? format : 'raw'
  return attach(guest, `<disk type="volume" device="disk"><driver name="qemu" type="${quoted(image)}"/>
    <source pool="${quoted(pool)}" volume="${quoted(volume)}"/><target dev="${target}" bus="${bus}"/></disk>`)
}

export const attachNic = (guest, network, model) => attach(guest,
  `<interface type="network"><source network="${quoted(network)}"/><model type="${quoted(model)}"/></interface>`)
