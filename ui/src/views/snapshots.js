// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A guest's snapshots as the tree that they are.
import { html, textOf } from '../html.js'
import { at, call, guestPath } from '../api.js'
import { when } from '../figures.js'
import { Act, Empty, Failure, Loading, State, useRead } from '../parts.js'
import { ask, attempt } from '../store.js'

/** @param {{ guest: import('../types').Guest, snapshot?: any, again?: any }} props */
function One({ guest, snapshot, again }) {
  const path = at('hosts', guest.host, 'domains', guest.uuid, 'snapshots', snapshot.name)
  const revert = async () => {
    const text = 'Its disks, and its memory where the snapshot has it, become what they were; what came later is lost.'
    if (!await ask(`Revert ${guest.name} to ${snapshot.name}?`, text, 'Revert')) return
    await attempt(`${guest.name} reverted to ${snapshot.name}`, () => call('POST', `${path}/revert`))
    again()
  }
  const remove = async () => {
    if (!await ask(`Delete ${snapshot.name}?`, `${guest.name} cannot go back to it any more.`, 'Delete')) return
    await attempt(`${snapshot.name} deleted`, () => call('DELETE', path))
    again()
  }
  return html`<li><div class="one"><b>${snapshot.name}</b>${snapshot.current && html`<small>current</small>`}
      <${State} is=${snapshot.state} /><small>${when(snapshot.creationTimeSeconds * 1000)}</small>
      <${Act} needs="domain:snapshot" onClick=${revert} aria-label="Revert to ${snapshot.name}">Revert<//>
      <${Act} class="danger" needs="domain:snapshot" onClick=${remove}
        aria-label="Delete ${snapshot.name}">Delete<//></div>
    ${snapshot.children?.length > 0 && html`<ul class="tree">${snapshot.children.map(child => html`<${One}
      key=${child.name} guest=${guest} snapshot=${child} again=${again} />`)}</ul>`}</li>`
}

/** @param {{ guest: import('../types').Guest }} props */
export function Snapshots({ guest }) {
  const read = useRead(`${guestPath(guest)}/snapshots?tree=true`, guest.state)
  const create = async event => {
    event.preventDefault()
    const form = event.target, name = textOf(new FormData(form), 'name')
    const made = await attempt(`${name || 'Snapshot'} taken`, () => call('POST', `${guestPath(guest)}/snapshots`,
      { body: name ? { name } : {} }))
    if (made) form.reset()
    read.again()
  }
  return html`<form class="tools" onSubmit=${create}><input name="name" aria-label="Name of the snapshot"
      placeholder="Name (optional)" /><${Act} type="submit" needs="domain:snapshot">Take a snapshot<//></form>
    ${!read.data ? (read.problem ? html`<${Failure} problem=${read.problem} again=${read.again} />`
        : html`<${Loading} what="snapshots" />`)
      : !read.data.snapshots.length ? html`<${Empty}><p>No snapshots</p><//>`
      : html`<ul class="tree top">${read.data.snapshots.map(one => html`<${One} key=${one.name} guest=${guest}
          snapshot=${one} again=${read.again} />`)}</ul>`}`
}
