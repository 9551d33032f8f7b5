// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Long work: what goes on and what has ended.
import { html, useEffect, useState } from '../html.js'
import { at, call } from '../api.js'
import { when } from '../figures.js'
import { Act, Listing, State, Table, Title, useRead } from '../parts.js'
import { attempt } from '../store.js'

const LOOK_MS = 2000

export function Operations() {
  const [turn, next] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => document.hidden || next(n => n + 1), LOOK_MS)
    return () => clearInterval(timer)
  }, [])
  const read = useRead('/operations', turn)
  const cancel = async one => {
    await attempt(`${one.kind} cancelled`, () => call('DELETE', at('operations', one.id)))
    read.again()
  }
  return html`<${Title} text="Operations" /><${Listing} read=${read} what="operations"
    none="Nothing goes on, and nothing has ended lately" list=${data => data.operations}>${rows => html`<${Table}
    label="Operations" head=${['What', 'State', 'Of', 'Host', 'Who', 'Begun', '']}>${rows.map(one => html`<tr key=${one.id}>
      <td><b>${one.kind}</b></td><td><${State} is=${one.state} />${one.progress?.percent !== undefined && html`
        <small>${Math.round(one.progress.percent)} %</small>`}</td>
      <td>${one.domain?.name ?? one.path}</td><td class="muted">${one.host}</td><td>${one.principal ?? '–'}</td>
      <td>${when(one.createdAt)}</td><td class="acts">${one.cancellable && !one.endedAt && html`<${Act}
        onClick=${() => cancel(one)} aria-label="Cancel ${one.kind}">Cancel<//>`}</td></tr>`)}<//>`}<//>`
}
