/* SPDX-License-Identifier: Apache-2.0 */
/* The FileDescriptorSet of all our protos, for reflection. */
    .section .rodata
    .global wire_descriptors
    .global wire_descriptors_end
wire_descriptors:
    .incbin "descriptors.ds"
wire_descriptors_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
