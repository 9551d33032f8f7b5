// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A guest's disks and network interfaces.
import { html } from '../html.js'
import { at, guestPath } from '../api.js'
import { bytes } from '../figures.js'
import { Listing, Table, useRead } from '../parts.js'

/** @param {{ guest: import('../types').Guest, disk?: any }} props */
function Size({ guest, disk }) {
  const { data } = useRead(disk.source ? `${guestPath(guest)}${at('disks', disk.target)}` : null)
  return html`${bytes(data?.capacityBytes)}`
}

/** @param {{ guest: import('../types').Guest }} props */
export function Disks({ guest }) {
  const read = useRead(`${guestPath(guest)}/disks`, guest.state)
  return html`<${Listing} read=${read} what="disks" list=${data => data.disks}>${disks => html`<${Table}
    label="Disks" head=${['Target', 'Kind', 'Source', '#Size', 'Mode']}>${disks.map(disk => html`<tr
      key=${disk.target}><td><b>${disk.target}</b> <small>${disk.bus}</small></td><td>${disk.device}</td>
      <td>${disk.source ?? html`<small>empty</small>`}${disk.backingChain?.length > 0 && html` <small>on
        ${disk.backingChain.length} below</small>`}</td>
      <td class="number"><${Size} guest=${guest} disk=${disk} /></td>
      <td>${disk.readOnly ? 'read-only' : 'read and write'}</td></tr>`)}<//>`}<//>`
}

/** @param {{ guest: import('../types').Guest }} props */
export function Nics({ guest }) {
  const read = useRead(`${guestPath(guest)}/interfaces`, guest.state)
  const { data } = useRead(guest.state === 'shutoff' ? null : `${guestPath(guest)}/addresses`)
  const addresses = mac => data?.interfaces?.filter(one => one.mac === mac)
    .flatMap(one => one.addresses.map(a => `${a.address}/${a.prefix}`)).join(', ')
  return html`<${Listing} read=${read} what="network interfaces" list=${all => all.interfaces}>${nics => html`<${Table}
    label="Network interfaces" head=${['MAC', 'Connected to', 'Device', 'Link', 'Addresses']}>${nics.map(nic => html`<tr
      key=${nic.mac}><td><b>${nic.mac}</b></td><td>${nic.source ?? '–'} <small>${nic.type}</small></td>
      <td>${nic.target ?? '–'}</td><td>${nic.linkUp ? 'up' : 'down'}</td>
      <td>${addresses(nic.mac) || '–'}</td></tr>`)}<//>`}<//>`
}
