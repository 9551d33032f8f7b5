// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Preact and htm, as all views use them.
import { h, render } from 'preact'
import htm from 'htm'

export { render }
export { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks'
export const html = htm.bind(h)
