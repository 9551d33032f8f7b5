// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the page calls, held against openapi.yaml by `make lint-ui`: a path that does not exist, a
// member that an answer does not have and a body that is not taken are errors of the compiler.
import type { components, paths } from 'api'

export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name]

/* ---- the path of openapi.yaml that a path is ---- */

type WithoutQuery<Path extends string> = Path extends `${infer Before}?${string}` ? Before : Path
type Fits<Known extends string, One extends string> = Known extends `{${string}}` ? true
  : string extends One ? false : One extends Known ? true : false
type Matches<Known extends string, Path extends string> =
  Known extends `${infer K}/${infer Ks}`
    ? Path extends `${infer P}/${infer Ps}` ? Fits<K, P> extends true ? Matches<Ks, Ps> : false : false
    : Path extends `${string}/${string}` ? false : Fits<Known, Path>

// /hosts/HOST is a server of its own to openapi.yaml, but for what it says of all hosts.
type OfHost<Path extends string> = Path extends keyof paths ? Path
  : Path extends `/hosts/${string}/${infer Rest}` ? `/${Rest}` : Path

type Search<Path extends string> = Path extends keyof paths ? Path
  : { [Known in keyof paths]: Matches<Known, Path> extends true ? Known : never }[keyof paths]
export type KnownPath<Path extends string> = Search<OfHost<WithoutQuery<Path>>>

/* ---- what it takes and answers ---- */

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Content<Message> = Message extends { content: infer Of } ? Of : never
type Json<Of> = Of extends { 'application/json': infer Body } ? Body : never
type Operation<M extends Method, Path extends string> = paths[KnownPath<Path>][Lowercase<M>]

type Good<Responses> = Responses extends object
  ? { [Status in keyof Responses]: Status extends 200 | 201 | 202 ? Json<Content<Responses[Status]>> : never }[keyof Responses]
  : never
// Where an answer is one of several, the members of all of them.
type Any<Of> = { [Member in Of extends unknown ? keyof Of : never]?: Of extends { [Is in Member]?: infer Value } ? Value : never }
export type Answer<M extends Method, Path extends string> =
  Operation<M, Path> extends { responses: infer All } ? Any<Good<All>> : never
export type MethodOf<Path extends string> = Search<OfHost<WithoutQuery<Path>>> extends infer Found extends keyof paths
  ? { [M in Method]: [paths[Found][Lowercase<M>]] extends [never] ? never : M }[Method] : never
export type Body<M extends Method, Path extends string> =
  Operation<M, Path> extends { requestBody?: infer Given } ? Json<Content<NonNullable<Given>>> : never

export type Joined<Segments extends string[]> = Segments extends [infer First extends string, ...infer Rest extends string[]]
  ? `/${First}${Joined<Rest>}` : ''

/* ---- what the page knows ---- */

export type Guest = Schema<'Domain'> & { host?: string, stale?: boolean }
export type Known = { host?: string, uuid?: string }
export type Event = Any<Schema<'Event'>>
type Figures = { vcpus?: number, memoryKiB?: number, cpu?: number, cpuPast?: number[], time?: string }
type Toast = { id: number, text: string, problem?: any, again?: () => void }
export type State = {
  link: 'connecting' | 'live' | 'reconnecting' | 'down'
  login: string | null
  features: string[]
  version?: string
  who: Answer<'GET', '/whoami'> | null
  hosts: Map<string, Schema<'Host'>>
  guests: Map<string, Guest> | null
  away: Map<string, Answer<'GET', '/hosts/-/domains'>['unreachable'][number]>
  counts: { networks?: number, storage?: number }
  figures: Map<string, Figures>
  slow: Set<string>
  events: Event[]
  work: { turn: number, progress: Map<string, any> }
  toasts: Toast[]
  question: { title: string, text: string, label: string, answer: (yes: boolean) => void } | null
}
