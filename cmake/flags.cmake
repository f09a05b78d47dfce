# Warnings and hardening for everything that is compiled.

# Optimization is said below; above all, asserts stay: CMake would add -DNDEBUG.
set(CMAKE_C_FLAGS_RELEASE "")

set(CELLA_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual
    -Wcast-align -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wnull-dereference -Wdouble-promotion
    -Wimplicit-fallthrough -Werror)
set(CELLA_HARDENING -fstack-protector-strong -fstack-clash-protection -fno-strict-overflow
    -fcf-protection=full)
set(CELLA_LINK_FLAGS -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
set(CELLA_FLAGS ${CELLA_WARNINGS} ${CELLA_HARDENING} -g)
if(CELLA_SANITIZE)
    list(APPEND CELLA_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    list(APPEND CELLA_LINK_FLAGS -fsanitize=address,undefined)
    add_link_options(-fsanitize=address,undefined)
else()
    list(APPEND CELLA_FLAGS -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
