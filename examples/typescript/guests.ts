// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Makes a guest, starts it, and follows it by events. The types are made from openapi.yaml, and so are
// complete: paths, arguments, answers, problems.
//
//   npx openapi-typescript ../../openapi.yaml --default-non-nullable=false -o api.ts
//   npx tsc && node guests.js http://localhost:8080
import createClient from 'openapi-fetch'
import type {components, paths} from './api.js'

type Domain = components['schemas']['Domain']

const [, , baseUrl = 'http://localhost:8080', token] = process.argv
const api = createClient<paths>({
  baseUrl,
  headers: token ? {Authorization: `Bearer ${token}`} : {},
  querySerializer: {array: {style: 'form', explode: false}}, // fields=name,state
})

const list = await api.GET('/domains', {params: {query: {fields: ['name', 'state']}}})
if (!list.data) throw new Error(list.error.detail)
for (const domain of list.data.domains) console.log(domain.name, domain.state)
const revision = list.response.headers.get('X-Virtgate-Revision') ?? ''

const made = await api.POST('/domains', {body: {name: 'from-typescript', memoryMiB: 64, start: true}})
if (!made.data) throw new Error(made.error.detail)
const guest = made.data as Domain
console.log('made', guest.name, guest.uuid?.length)

const events = await api.GET('/events', {
  params: {query: {since: revision, wait: 30, object: ['domain'], event: ['lifecycle']}},
})
console.log('events', events.response.status, JSON.stringify(events.data).includes('from-typescript'))

const path = {params: {path: {domain: guest.name ?? ''}}}
await api.POST('/domains/{domain}/destroy', path)
const gone = await api.DELETE('/domains/{domain}', path)
console.log('gone', gone.response.status)
const missing = await api.GET('/domains/{domain}', path)
console.log('missing', missing.error?.status, missing.error?.title)
