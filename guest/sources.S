/* What the guest side says in its languages: text with a NUL behind it. */
    .macro source name, file
    .global guest_\name\()_source
    .hidden guest_\name\()_source
guest_\name\()_source:
    .incbin "\file"
    .byte 0
    .endm

    .section .rodata
    source node, "node.js"
    source php, "php.php"
    source python, "python.py"
    source r, "r.R"
    source ruby, "ruby.rb"
    .section .note.GNU-stack,"",%progbits
