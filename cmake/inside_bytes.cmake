# Writes an assembler file that holds the bytes of init and of the guest library (see
# isolate/native/host.c).
file(WRITE ${OUTPUT} "    .section .rodata\n")
foreach(pair init=cella-init guest=cella-guest.so)
    string(REPLACE "=" ";" pair ${pair})
    list(GET pair 0 name)
    list(GET pair 1 file)
    file(APPEND ${OUTPUT} "    .global cella_${name}_bytes
    .global cella_${name}_size
    .balign 16
cella_${name}_bytes:
    .incbin \"${DIRECTORY}/${file}\"
.Lend_${name}:
    .balign 8
cella_${name}_size:
    .quad .Lend_${name} - cella_${name}_bytes
")
endforeach()
file(APPEND ${OUTPUT} "    .section .note.GNU-stack,\"\",%progbits\n")
