// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Preact and htm, as all views use them.
import { h, render } from 'preact'
import { useRef as anyRef } from 'preact/hooks'
import htm from 'htm'

export { render }
export { useEffect, useMemo, useReducer, useState } from 'preact/hooks'
/** @type {<T = any>(first?: T) => { current: T }} */
export const useRef = anyRef
export const html = htm.bind(h)

/** @param {FormData} form */
export const textOf = (form, name) => String(form.get(name) ?? '').trim()
