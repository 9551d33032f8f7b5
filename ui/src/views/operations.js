// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Long work, which tells by events how far it is, and who has what open.
import { html, useEffect, useState } from '../html.js'
import { at, call } from '../api.js'
import { bytes, when } from '../figures.js'
import { Act, Listing, State, Table, Title, useRead } from '../parts.js'
import { attempt, useStore } from '../store.js'

const LOOK_MS = 5000

// createSnapshot: Create snapshot.
const named = kind => kind.replace(/[A-Z]+/g, word => ` ${word.length > 1 ? word : word.toLowerCase()}`).replace(/^./, c => c.toUpperCase())

const far = ({ percent, bytes: moved, totalBytes }) => (percent !== undefined ? `${Math.round(percent)} %`
  : totalBytes ? `${Math.round(100 * moved / totalBytes)} %` : moved ? bytes(moved) : '')

function Progress({ of }) {
  const { progress } = useStore(s => s.work)
  const known = progress.get(of.id) ?? of.progress
  return known && !of.endedAt && html` <small>${far(known)}</small>`
}

// Nothing tells of sessions: they are looked at now and then.
function Sessions() {
  const [turn, next] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => document.hidden || next(n => n + 1), LOOK_MS)
    return () => clearInterval(timer)
  }, [])
  const read = useRead('/sessions', turn)
  const end = async one => {
    await attempt(`${one.kind} ended`, () => call('DELETE', at('sessions', one.id)))
    read.again()
  }
  return html`<h2>Sessions</h2><${Listing} read=${read} what="sessions" none="Nobody has a console or display open"
    list=${data => data.sessions}>${rows => html`<${Table} label="Sessions"
    head=${['What', 'Of', 'Host', 'Who', 'Since', '']}>${rows.map(one => html`<tr key=${one.id}>
      <td><b>${one.kind}</b></td><td>${one.domain?.name ?? one.path}</td><td class="muted">${one.host}</td>
      <td>${one.principal ?? '–'}</td><td>${when(one.since)}</td><td class="acts"><${Act}
        onClick=${() => end(one)} aria-label="End ${one.kind}">End<//></td></tr>`)}<//>`}<//>`
}

export function Operations() {
  const read = useRead('/operations', useStore(s => s.work.turn))
  const cancel = async one => {
    await attempt(`${named(one.kind)} cancelled`, () => call('DELETE', at('operations', one.id)))
    read.again()
  }
  return html`<${Title} text="Operations" /><${Listing} read=${read} what="operations"
    none="Nothing goes on, and nothing has ended lately" list=${data => data.operations}>${rows => html`<${Table}
    label="Operations" head=${['What', 'State', 'Of', 'Host', 'Who', 'Begun', '']}>${rows.map(one => html`<tr key=${one.id}>
      <td><b>${named(one.kind)}</b></td><td><${State} is=${one.state} /><${Progress} of=${one} /></td>
      <td>${one.domain?.name ?? one.path}</td><td class="muted">${one.host}</td><td>${one.principal ?? '–'}</td>
      <td>${when(one.createdAt)}</td><td class="acts">${one.cancellable && !one.endedAt && html`<${Act}
        onClick=${() => cancel(one)} aria-label="Cancel ${named(one.kind)}">Cancel<//>`}</td></tr>`)}<//>`}<//><${Sessions} />`
}
