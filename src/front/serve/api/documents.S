/* Texts that the document about the service is made of, and a program, each with a NUL behind it. */
    .macro text, name, file
    .global serve_\name\()_text
    .hidden serve_\name\()_text
serve_\name\()_text:
    .incbin "\file"
    .byte 0
    .endm

    .section .rodata
    text request, "schema/request.schema.json"
    text result, "schema/result.schema.json"
    text summary, "schema/summary.schema.json"
    text problem, "schema/problem.schema.json"
    text batch, "schema/batch.schema.json"
    text batch_result, "schema/batch_result.schema.json"
    text schemas, "src/front/serve/api/schemas.json"
    text ipython, "src/front/serve/contracts/ipython.py"
    .section .note.GNU-stack,"",%progbits
