# What the tests build.  CTest runs what is one program: unit tests, examples, and the corpora of
# the fuzz targets; pytest runs what crosses processes (see scripts/test).
if(NOT CELLA_TESTS)
    return()
endif()
enable_testing()
set(TEST_FLAGS ${CELLA_FLAGS} -Wno-null-dereference) # an assertion of cmocka does not return either
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON) # the tests also run a copy of the build elsewhere
pkg_check_modules(CMOCKA REQUIRED cmocka)

# Unit tests see the modules from inside; a CTest test's name is its directory and file.
file(GLOB sources CONFIGURE_DEPENDS tests/unit/test_*.c)
foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE
        CELLA_SOURCE_DIR="${CMAKE_SOURCE_DIR}" $<$<BOOL:${CELLA_TESTING}>:CELLA_TESTING>)
    target_compile_options(${name} PRIVATE ${TEST_FLAGS})
    target_link_libraries(${name} PRIVATE cella-static ${CMOCKA_LIBRARIES})
    target_link_options(${name} PRIVATE ${CELLA_LINK_FLAGS})
    add_dependencies(${name} keeper)
    add_test(NAME unit/${name} COMMAND ${name})
    set_tests_properties(unit/${name} PROPERTIES TIMEOUT 120)
endforeach()
# Of the privileged side, which is no library, the one part that listens to others than the engine.
# And the parts that decide what it does for nobody, and what is left behind.
target_sources(test_cgroup PRIVATE src/isolate/native/cgroup.c src/isolate/native/cgroup_host.c
    src/isolate/native/scope.c src/isolate/native/sys.c)
target_sources(test_ceiling PRIVATE src/keeper/ceiling.c)
target_sources(test_scope PRIVATE src/isolate/native/scope.c src/isolate/native/sys.c)
target_sources(test_strays PRIVATE src/isolate/native/strays.c src/isolate/native/sys.c)
# And of the server, what reads strangers' bytes.
target_sources(test_http PRIVATE src/front/serve/http/http.c)
target_sources(test_bucket PRIVATE src/front/serve/tenants/bucket.c)
target_sources(test_pace PRIVATE src/front/serve/tenants/pace.c)
target_sources(test_compare PRIVATE src/front/serve/runs/compare.c)
target_sources(test_audit PRIVATE src/front/serve/records/audit.c src/front/serve/fail.c
    src/front/serve/log.c)
target_sources(test_trace PRIVATE src/front/serve/http/trace.c src/front/serve/http/http.c)
target_sources(test_loop PRIVATE src/front/serve/host/loop.c src/front/serve/fail.c)
target_link_options(test_loop PRIVATE LINKER:--wrap=clock_monotonic_us)
target_sources(test_semver PRIVATE src/front/serve/contracts/semver.c)
target_sources(test_surrogates PRIVATE src/front/serve/contracts/surrogates.c)
target_sources(test_execute_code PRIVATE src/front/serve/contracts/execute_code.c)

# Examples and the library's own tests are ordinary users of it: the public headers and the shared
# library, nothing else.
function(add_outside_program source)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_include_directories(${name} PRIVATE include)
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    target_compile_options(${name} PRIVATE ${TEST_FLAGS})
    target_link_libraries(${name} PRIVATE cella-shared ${ARGN})
    target_link_options(${name} PRIVATE ${CELLA_LINK_FLAGS})
    add_dependencies(${name} keeper)
endfunction()
file(GLOB examples CONFIGURE_DEPENDS examples/*.c)
file(GLOB sources CONFIGURE_DEPENDS tests/integration/test_*.c)
foreach(source ${examples} ${sources})
    add_outside_program(${source} ${CMOCKA_LIBRARIES})
    get_filename_component(name ${source} NAME_WE)
    get_filename_component(kind ${source} DIRECTORY)
    get_filename_component(kind ${kind} NAME)
    add_test(NAME ${kind}/${name} COMMAND ${name})
    # What one test has compiled is not to be found by the next, unless it wants that: nothing can
    # be made there.
    set_tests_properties(${kind}/${name} PROPERTIES TIMEOUT 120
        ENVIRONMENT XDG_CACHE_HOME=/proc/none)
endforeach()
add_outside_program(tests/integration/soak.c) # run by test_soak.py
add_outside_program(tests/warm/warm_client.c) # run by tests/warm

# What runs before the C library may need nothing of it, but that it follows.
if(TARGET cella-entry)
    add_test(NAME unit/entry COMMAND sh -c
        "test \"$(nm -u '$<TARGET_OBJECTS:cella-entry>' | tr -s ' \\n' ' ')\" = ' U _start U early '")
endif()

# Each fuzz target meets again everything that was ever found worth keeping.
file(GLOB sources CONFIGURE_DEPENDS fuzz/fuzz_*.c)
foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    string(REPLACE fuzz_ "" corpus ${name})
    add_executable(${name} ${source} fuzz/replay.c)
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE CELLA_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_compile_options(${name} PRIVATE ${CELLA_FLAGS})
    target_link_libraries(${name} PRIVATE cella-static)
    target_link_options(${name} PRIVATE ${CELLA_LINK_FLAGS})
    file(GLOB inputs CONFIGURE_DEPENDS fuzz/corpus/${corpus}/*)
    add_test(NAME fuzz/${corpus} COMMAND ${name} ${inputs})
    set_tests_properties(fuzz/${corpus} PROPERTIES TIMEOUT 120)
endforeach()
target_sources(fuzz_http PRIVATE src/front/serve/http/http.c)
target_sources(fuzz_query PRIVATE src/front/serve/http/query.c src/front/serve/fail.c)
# A connection has the whole server behind it, but the loop, and of the library nothing that takes
# time: fuzz_connection.c stands in for both.
set(WRAPPED cella_run_start cella_request_is_adaptive cella_explain cella_engine_check
    cella_engine_pools cella_pools_json cella_languages cella_languages_json cella_policies_json
    cella_policy_show tenants_are_demanded clock_monotonic_us log_write)
list(TRANSFORM WRAPPED PREPEND LINKER:--wrap=)
set(CONNECTION_SOURCES ${SERVE_SOURCES})
list(FILTER CONNECTION_SOURCES EXCLUDE REGEX "/serve/(main|host/loop)[.]c$")
target_sources(fuzz_connection PRIVATE ${CONNECTION_SOURCES} src/front/serve/api/documents.S)
target_compile_definitions(fuzz_connection PRIVATE
    $<TARGET_PROPERTY:cella-serve,COMPILE_DEFINITIONS>)
target_link_libraries(fuzz_connection PRIVATE ${SERVE_LIBRARIES})
target_link_options(fuzz_connection PRIVATE ${WRAPPED})
# Of this connection the routes and the jobs are stand-ins too: what they do and when is a test's.
set(TRANSPORT_SOURCES fuzz/transport.c)
foreach(name http/answer http/connection http/exchange fail http/http http/http1 http/http2
        http/http2_head runs/interactive http/tls http/trace http/websocket)
    list(APPEND TRANSPORT_SOURCES src/front/serve/${name}.c)
endforeach()
foreach(target fuzz_transport test_connection test_http2)
    target_sources(${target} PRIVATE ${TRANSPORT_SOURCES})
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${target} PRIVATE ${OPENSSL_LIBRARIES} ${WSLAY_LIBRARIES}
        ${NGHTTP2_LIBRARIES})
    target_link_options(${target} PRIVATE LINKER:--wrap=clock_monotonic_us)
endforeach()
target_sources(fuzz_compare PRIVATE src/front/serve/runs/compare.c)
target_sources(fuzz_contract PRIVATE src/front/serve/contracts/execute_code.c
    src/front/serve/contracts/semver.c src/front/serve/contracts/surrogates.c)
target_sources(fuzz_batch PRIVATE src/front/serve/runs/batch_request.c src/front/serve/runs/batch_bytes.c)

# What programs and compilers wrote, and the diagnosis that is right for it.
add_executable(replay tests/diagnosis/replay.c)
target_compile_definitions(replay PRIVATE _GNU_SOURCE)
target_compile_options(replay PRIVATE ${CELLA_FLAGS})
target_link_libraries(replay PRIVATE cella-static)
target_link_options(replay PRIVATE ${CELLA_LINK_FLAGS})
file(GLOB cases CONFIGURE_DEPENDS tests/diagnosis/*/*.json)
add_test(NAME unit/diagnosis COMMAND replay ${CMAKE_SOURCE_DIR}/runtimes ${cases})
set_tests_properties(unit/diagnosis PROPERTIES TIMEOUT 120)

# What scripts/generate runs to write the files of the tree that come from tables.
foreach(tool gen_schema gen_tables)
    add_executable(${tool} tools/${tool}.c)
    target_compile_definitions(${tool} PRIVATE _GNU_SOURCE)
    target_compile_options(${tool} PRIVATE ${CELLA_FLAGS})
    target_link_libraries(${tool} PRIVATE cella-static)
    target_link_options(${tool} PRIVATE ${CELLA_LINK_FLAGS})
endforeach()
