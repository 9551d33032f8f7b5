// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Fields of a form that choose a volume of the host, as POOL/VOLUME; `children` come with one.
import { html, useState } from '../html.js'
import { at } from '../api.js'
import { useRead } from '../parts.js'

export function VolumeChoice({ host, none = 'Choose…', required = true, children = null }) {
  const pools = useRead(`${at('hosts', host)}/storage-pools?state=active`)
  const [pool, set] = useState('')
  const volumes = useRead(pool && `${at('hosts', host, 'storage-pools', pool)}/volumes`)
  return html`<label>Storage pool <select value=${pool} required=${required} onChange=${event => set(event.target.value)}>
      <option value="">${none}</option>${pools.data?.storagePools.map(one => html`<option key=${one.name}
        value=${one.name}>${one.name}</option>`)}</select></label>
    ${pool && html`<label>Volume <select name="volume" required>${volumes.data?.volumes.map(one => html`<option
      key=${one.key} value=${`${pool}/${one.name}`}>${one.name}</option>`)}</select></label>${children}`}`
}
