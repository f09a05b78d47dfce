# The keeper and init: static programs built with musl, because they are started for every run and
# a musl program reaches main() in a quarter of the time.  Init is put into the keeper as bytes.
#
# A sanitizer build makes the keeper with glibc, since the sanitizers' runtime needs it; init is
# always musl, in a sanitizer build with checks that trap.
find_program(MUSL_GCC musl-gcc REQUIRED)
set(GENERATED ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${GENERATED}/linux-headers)

# musl-gcc knows nothing of the kernel's headers; these are the ones that the host's libc-dev has.
foreach(directory linux asm-generic)
    file(CREATE_LINK /usr/include/${directory} ${GENERATED}/linux-headers/${directory} SYMBOLIC)
endforeach()
file(CREATE_LINK /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/asm ${GENERATED}/linux-headers/asm
    SYMBOLIC)

pkg_check_modules(SECCOMP REQUIRED libseccomp)
add_executable(gen_filters EXCLUDE_FROM_ALL tools/gen_filters.c)
target_include_directories(gen_filters PRIVATE src include)
target_compile_definitions(gen_filters PRIVATE _GNU_SOURCE)
target_compile_options(gen_filters PRIVATE ${CELLA_FLAGS})
target_link_libraries(gen_filters PRIVATE ${SECCOMP_LIBRARIES})
add_custom_command(
    OUTPUT ${GENERATED}/filters.h ${GENERATED}/syscall_names.c
    COMMAND gen_filters ${GENERATED}/filters.h ${GENERATED}/syscall_names.c
    DEPENDS gen_filters
    COMMENT "Making the system call filters")

# What both sides of the exec use.
set(INSIDE_COMMON src/base/error.c src/base/fd.c src/base/fd_passing.c
    src/base/utf8.c src/base/glob.c
    src/request/limits.c src/isolate/tables.c src/isolate/pack.c src/isolate/rlimits.c
    src/isolate/modes.c src/isolate/zygote.c src/isolate/native/sys.c)
file(GLOB INIT_SOURCES CONFIGURE_DEPENDS src/isolate/init/*.c)
file(GLOB KEEPER_SOURCES CONFIGURE_DEPENDS src/keeper/*.c src/isolate/native/*.c
    src/base/clock.c src/isolate/places.c src/isolate/widening.c src/isolate/uids.c)
list(REMOVE_ITEM KEEPER_SOURCES ${CMAKE_SOURCE_DIR}/src/isolate/native/sys.c)

set(INSIDE_FLAGS -std=c17 -D_GNU_SOURCE -I${CMAKE_SOURCE_DIR}/src -I${CMAKE_SOURCE_DIR}/include
    -I${GENERATED} ${CELLA_WARNINGS} ${CELLA_HARDENING} -g -O2)
if(CELLA_TESTING)
    list(APPEND INSIDE_FLAGS -DCELLA_TESTING)
endif()
set(MUSL_FLAGS ${INSIDE_FLAGS} -isystem ${GENERATED}/linux-headers -static -fno-pie -no-pie)
if(CELLA_SANITIZE)
    list(APPEND MUSL_FLAGS -fsanitize=undefined -fsanitize-undefined-trap-on-error)
endif()
file(GLOB_RECURSE INSIDE_HEADERS CONFIGURE_DEPENDS src/*.h include/*.h)

function(add_musl_program name)
    set(sources ${ARGN})
    list(TRANSFORM sources PREPEND ${CMAKE_SOURCE_DIR}/ REGEX "^src/")
    add_custom_command(
        OUTPUT ${CMAKE_BINARY_DIR}/${name}
        COMMAND ${MUSL_GCC} ${MUSL_FLAGS} -o ${CMAKE_BINARY_DIR}/${name} ${sources}
            -Wl,-z,noexecstack -Wl,-s
        DEPENDS ${sources} ${INSIDE_HEADERS} ${GENERATED}/filters.h
        COMMENT "Building ${name}" VERBATIM)
endfunction()

add_musl_program(cella-init ${INSIDE_COMMON} ${INIT_SOURCES})

# The guest side of zygotes, which interpreters load: a shared library for their C library, without
# sanitizers.
file(GLOB GUEST_SOURCES CONFIGURE_DEPENDS guest/*.c)
file(GLOB GUEST_TEXTS CONFIGURE_DEPENDS guest/*.h guest/*.R guest/*.php guest/*.js guest/*.py guest/*.rb guest/sources.S)
set(GUEST_SHARED src/base/buffer.c src/base/error.c src/base/fd.c src/base/fd_passing.c
    src/base/utf8.c src/request/limits.c src/isolate/tables.c src/isolate/pack.c src/isolate/rlimits.c src/isolate/zygote.c src/isolate/modes.c
    src/isolate/native/sys.c src/isolate/native/lockdown.c src/isolate/native/seccomp.c)
set(GUEST_FILES ${GUEST_SOURCES} ${GUEST_SHARED})
list(TRANSFORM GUEST_FILES PREPEND ${CMAKE_SOURCE_DIR}/ REGEX "^src/")
add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/cella-guest.so
    COMMAND ${CMAKE_C_COMPILER} ${INSIDE_FLAGS} -I${CMAKE_SOURCE_DIR}/guest -fPIC -shared
        -fvisibility=hidden -o ${CMAKE_BINARY_DIR}/cella-guest.so ${GUEST_FILES}
        ${CMAKE_SOURCE_DIR}/guest/sources.S -Wa,-I${CMAKE_SOURCE_DIR}/guest
        -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-s
    DEPENDS ${GUEST_FILES} ${GUEST_TEXTS} ${INSIDE_HEADERS} ${GENERATED}/filters.h
    COMMENT "Building cella-guest.so" VERBATIM)

# Both go into the keeper as bytes.
add_custom_command(
    OUTPUT ${GENERATED}/inside_bytes.S
    COMMAND ${CMAKE_COMMAND} -DDIRECTORY=${CMAKE_BINARY_DIR}
        -DOUTPUT=${GENERATED}/inside_bytes.S -P ${CMAKE_SOURCE_DIR}/cmake/inside_bytes.cmake
    DEPENDS ${CMAKE_BINARY_DIR}/cella-init ${CMAKE_BINARY_DIR}/cella-guest.so
        ${CMAKE_SOURCE_DIR}/cmake/inside_bytes.cmake VERBATIM)

if(CELLA_SANITIZE)
    enable_language(ASM)
    add_executable(keeper ${INSIDE_COMMON} ${KEEPER_SOURCES} ${GENERATED}/inside_bytes.S
        ${GENERATED}/filters.h)
    set_target_properties(keeper PROPERTIES OUTPUT_NAME cella-keeper)
    target_include_directories(keeper PRIVATE src include ${GENERATED})
    target_compile_definitions(keeper PRIVATE _GNU_SOURCE
        $<$<BOOL:${CELLA_TESTING}>:CELLA_TESTING>)
    target_compile_options(keeper PRIVATE $<$<COMPILE_LANGUAGE:C>:${CELLA_FLAGS}>)
else()
    add_musl_program(cella-keeper ${INSIDE_COMMON} ${KEEPER_SOURCES} ${GENERATED}/inside_bytes.S)
    add_custom_target(keeper ALL DEPENDS ${CMAKE_BINARY_DIR}/cella-keeper)
endif()

# The build tree finds its data where an installed one does: in share/ beside the programs.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share)
foreach(directory runtimes policies)
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${directory} ${CMAKE_BINARY_DIR}/share/${directory}
        SYMBOLIC)
endforeach()
