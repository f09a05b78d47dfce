# Writes an assembler file that holds the bytes of init (see isolate/native/host.c).
file(WRITE ${OUTPUT} "    .section .rodata
    .global cella_init_bytes
    .global cella_init_size
    .balign 16
cella_init_bytes:
    .incbin \"${INIT}\"
.Lend:
    .balign 8
cella_init_size:
    .quad .Lend - cella_init_bytes
    .section .note.GNU-stack,\"\",%progbits
")
