// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Resumable uploads.
export { Upload } from 'tus-js-client'
