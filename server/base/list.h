/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Doubly linked lists through two members of their elements: `next`, and `link`, the
 * pointer that points at the element. A list is a pointer to its first element; there is
 * nothing to allocate, and an element is taken out without the list at hand. Whoever
 * calls holds what guards the list.
 */
#pragma once

/* Puts `element` where *at points: before what stands there, &list for the beginning. */
#define vg_list_insert(at, element)                                                      \
    do {                                                                                 \
        __typeof__(element) vg_element_ = (element);                                     \
        __typeof__(&vg_element_) vg_at_ = (at);                                          \
        vg_element_->next = *vg_at_;                                                     \
        vg_element_->link = vg_at_;                                                      \
        if (vg_element_->next)                                                           \
            vg_element_->next->link = &vg_element_->next;                                \
        *vg_at_ = vg_element_;                                                           \
    } while (0)

/* Takes it out of its list; its own members stay as they are. */
#define vg_list_remove(element)                                                          \
    do {                                                                                 \
        __typeof__(element) vg_element_ = (element);                                     \
        *vg_element_->link = vg_element_->next;                                          \
        if (vg_element_->next)                                                           \
            vg_element_->next->link = vg_element_->link;                                 \
    } while (0)
